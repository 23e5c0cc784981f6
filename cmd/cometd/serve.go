package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server"
)

func serveCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "serve",
		Usage: "run a head",
		Description: "With nothing but --data the head keeps everything in that folder: its entries in comet.db, and certificates of its own\n" +
			"making in certs/, for itself and for a first client; --host names the head in them for clients on other machines. Own\n" +
			"certificates are given with --cacert, --cert and --key, together; they are read again when they change. With --store any\n" +
			"number of heads keep their entries in one etcd, and --data is for certificates alone. SIGTERM or SIGINT ends it after the\n" +
			"requests under way.",
		Action: serve,
		Flags: slices.Concat([]urfave.Flag{
			stringFlag("data", "keep entries and certificates in `DIR`, which is made with mode 0700; required without --store and --cert"),
			&urfave.StringSliceFlag{Name: "listen", Usage: "serve at `ADDR`, a host or address and a port; may be repeated", EnvVars: cli.Env("listen"), Value: urfave.NewStringSlice("127.0.0.1:8111")},
			hostFlag(),
			boolFlag("strong-tokens", "refuse writes with weak tokens: fewer than 8 characters, no digit, no lower or upper case, or white space"),
			boolFlag("no-client-certs", "let everybody create and delete who has the tokens, without a client certificate"),
			stringFlag("cacert", "trust clients whose certificates lead to one in `FILE` (DER, PEM)"),
			stringFlag("cert", "the head's own certificate, with its chain, in `FILE`"),
			stringFlag("key", "the private key of --cert, in `FILE`"),
			stringFlag("key-password-file", "the password of --key, in `FILE`"),
		}, storeFlags(), cli.LogFlags("info")),
	}
}

func serve(c *urfave.Context) (err error) {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	log, err := cli.Logger(c)
	if err != nil {
		return err
	}
	spec, err := readStoreSpec(c)
	if err != nil {
		return err
	}
	dir := cli.Given(c, "data")
	switch {
	case dir != "":
	case spec.url == "":
		return cli.Usage("see cometd serve --help", "serve needs --data DIR")
	case cli.Given(c, "cert") == "":
		return cli.Usage("see cometd serve --help", "serve needs --data DIR for its certificates, or --cacert, --cert and --key")
	}
	addresses, err := listenAddresses(c)
	if err != nil {
		return err
	}
	// First what may fail without a trace.
	listeners, err := listen(c, addresses)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	certs, err := openCertificates(c, dir, addresses, log)
	if err != nil {
		return err
	}
	defer certs.live.Close()
	store, end, err := spec.open(c, dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	head := server.New(store, headOptions(c, certs, log)...)
	announce(c, store, listeners, certs, log)
	if err := server.Serve(c.Context, head, certs.live.Server(), listeners...); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cli.Input(fmt.Errorf("make the folder of --data: %w", err))
	}
	return nil
}

func listenAddresses(c *urfave.Context) ([]string, error) {
	addresses := c.StringSlice("listen")
	for _, a := range addresses {
		_, port, err := net.SplitHostPort(a)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return nil, cli.Usage("give one such as 127.0.0.1:8111", "--listen %q is not a host or address and a port", a)
		}
	}
	return addresses, nil
}

// listen opens all addresses or none.
func listen(c *urfave.Context, addresses []string) (listeners []net.Listener, err error) {
	for _, a := range addresses {
		l, err := new(net.ListenConfig).Listen(c.Context, "tcp", a)
		if err != nil {
			closeAll(listeners)
			return nil, fmt.Errorf("%w; give another address with --listen", err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

func headOptions(c *urfave.Context, certs certificates, log *slog.Logger) []server.Option {
	opts := []server.Option{server.WithLogger(log), server.WithTrust(certs.live.Trusted)}
	if c.Bool("strong-tokens") {
		opts = append(opts, server.WithStrongTokens())
	}
	if c.Bool("no-client-certs") {
		log.Warn("client certificates are not checked: whoever has the tokens may create and delete")
		opts = append(opts, server.WithoutCertificateChecks())
	}
	return opts
}

// reachable is an address under which this machine reaches a listener, also one that listens on all.
func reachable(a *net.TCPAddr) string {
	if a.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(a.Port))
	}
	return a.String()
}

// announce tells, on one line for people and scripts, where the head is and what a client needs. Connections are taken already.
func announce(c *urfave.Context, store server.Store, listeners []net.Listener, certs certificates, log *slog.Logger) {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, "https://"+reachable(l.Addr().(*net.TCPAddr))+"/")
	}
	line := "ready comethost=" + strings.Join(urls, ",") + " cacert=" + certs.client.CA
	if certs.client.Cert != "" {
		line += " cert=" + certs.client.Cert + " key=" + certs.client.Key
	}
	fmt.Fprintln(c.App.Writer, line)
	log.Info("ready", "addresses", urls, "store", store.Identity(), "data", cli.Given(c, "data"), "in", fmt.Sprint(store))
}
