package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run a head",
		Description: "With nothing but --data the head keeps everything in that folder: its entries in comet.db, and certificates of its own\n" +
			"making in certs/, for itself and for a first client. Own certificates are given with --cacert, --cert and --key, together;\n" +
			"they are read again when they change. SIGTERM or SIGINT ends it after the requests under way.\n\n" + epilogue,
		HideHelpCommand: true,
		OnUsageError:    wrongUsage,
		Action:          action(serve),
		Flags: append([]cli.Flag{
			pathFlag("data", "keep entries and certificates in `DIR`, which is made with mode 0700; required"),
			&cli.StringSliceFlag{Name: "listen", Usage: "serve at `ADDR`, a host or address and a port; may be repeated", EnvVars: env("listen"), Value: cli.NewStringSlice("127.0.0.1:8111")},
			boolFlag("strong-tokens", "refuse writes with weak tokens: fewer than 8 characters, no digit, no lower or upper case, or white space"),
			boolFlag("no-client-certs", "let everybody create and delete who has the tokens, without a client certificate"),
			pathFlag("cacert", "trust clients whose certificates lead to one in `FILE` (DER, PEM)"),
			pathFlag("cert", "the head's own certificate, with its chain, in `FILE`"),
			pathFlag("key", "the private key of --cert, in `FILE`"),
			pathFlag("key-password-file", "the password of --key, in `FILE`"),
		}, logFlags()...),
	}
}

func serve(c *cli.Context) (err error) {
	log, err := newLogger(c)
	if err != nil {
		return err
	}
	dir := path(c, "data")
	if dir == "" {
		return usagef("serve needs --data DIR; see cometd serve --help")
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
	if err := makeFolder(dir); err != nil {
		return err
	}
	store, err := bolt.Open(filepath.Join(dir, "comet.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
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
		return input{fmt.Errorf("make the folder of --data: %w", err)}
	}
	return nil
}

func listenAddresses(c *cli.Context) ([]string, error) {
	addresses := c.StringSlice("listen")
	for _, a := range addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, usagef("--listen %q is not a host or address and a port, such as 127.0.0.1:8111", a)
		}
	}
	return addresses, nil
}

// listen opens all addresses or none.
func listen(c *cli.Context, addresses []string) (listeners []net.Listener, err error) {
	for _, a := range addresses {
		l, err := new(net.ListenConfig).Listen(c.Context, "tcp", a)
		if err != nil {
			closeAll(listeners)
			return nil, err
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

func headOptions(c *cli.Context, certs certificates, log *slog.Logger) []server.Option {
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

// announce tells, on one line for people and scripts, where the head is and what a client needs. Connections are taken already.
func announce(c *cli.Context, store *bolt.Store, listeners []net.Listener, certs certificates, log *slog.Logger) {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, "https://"+l.Addr().String()+"/")
	}
	line := "ready comethost=" + strings.Join(urls, ",") + " cacert=" + certs.client.CA
	if certs.client.Cert != "" {
		line += " cert=" + certs.client.Cert + " key=" + certs.client.Key
	}
	fmt.Fprintln(c.App.Writer, line)
	log.Info("ready", "addresses", urls, "store", store.Identity(), "data", path(c, "data"))
}
