package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

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
			"requests under way. Each flag is also an environment variable, COMET_ and its name in capitals, and a key in the file of\n" +
			"--config; flags win over the environment, both over the file.",
		Action: serve,
		Flags:  serveFlags(),
	}
}

func serve(c *urfave.Context) (err error) {
	s, err := readSettings(c)
	if err != nil {
		return err
	}
	log, err := cli.Logger(c)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGHUP) // to others it means reading again, which happens by itself, and never the end
	// First what may fail without a trace.
	listeners, err := listen(c, s.addresses)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	operators, err := listenForOperators(c, s.metrics)
	if err != nil {
		return err
	}
	defer operators.close()
	certs, err := openCertificates(c, s, log)
	if err != nil {
		return err
	}
	defer certs.live.Close()
	store, end, err := s.store.open(c, s.dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	head := server.New(store, append(s.headOptions(c, certs, log), operators.headOptions(store)...)...)
	defer operators.serve(c.Context, head, certs.live, log)()
	announce(c, store, listeners, operators, certs, log)
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

// reachable is an address under which this machine reaches a listener, also one that listens on all.
func reachable(a *net.TCPAddr) string {
	if a.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(a.Port))
	}
	return a.String()
}

// announce tells, on one line for people and scripts, where the head is and what a client needs. Connections are taken already.
func announce(c *urfave.Context, store server.Store, listeners []net.Listener, operators operations, certs certificates, log *slog.Logger) {
	var urls []string
	for _, l := range listeners {
		urls = append(urls, "https://"+reachable(l.Addr().(*net.TCPAddr))+"/")
	}
	line := "ready comethost=" + strings.Join(urls, ",") + " cacert=" + certs.client.CA
	if certs.client.Cert != "" {
		line += " cert=" + certs.client.Cert + " key=" + certs.client.Key
	}
	if l := operators.listener; l != nil {
		line += " metrics=http://" + reachable(l.Addr().(*net.TCPAddr)) + "/metrics"
	}
	fmt.Fprintln(c.App.Writer, line)
	log.Info("ready", "addresses", urls, "store", store.Identity(), "data", cli.Given(c, "data"), "in", fmt.Sprint(store))
}
