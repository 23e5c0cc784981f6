package quickstart

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// head is one head, with an end of its own.
type head struct {
	url    string
	cancel context.CancelFunc
	ended  chan error
}

// stop ends the head, if it still runs.
func (h *head) stop() error {
	h.cancel()
	return <-h.ended // nil from the closed channel when it ended before
}

// startHeads starts two heads over one embedded store, with certificates of their own making.
func (s *Story) startHeads(context.Context) error {
	var err error
	if s.logTo, err = os.OpenFile(s.path("quickstart.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	s.log = slog.New(slog.NewTextHandler(s.logTo, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.certs, err = tlsconfig.WriteDevelopment(s.path("certs")); err != nil {
		return err
	}
	if s.trust, err = tlsconfig.Open(s.certs.Server, tlsconfig.Names{}, tlsconfig.WithLogger(s.log)); err != nil {
		return err
	}
	if s.store, err = bolt.Open(s.path("comet.db")); err != nil {
		return err
	}
	handler := server.New(s.store, server.WithLogger(s.log), server.WithTrust(s.trust.Trusted))
	var urls []string
	for range 2 {
		h, err := s.startHead(handler)
		if err != nil {
			return err
		}
		s.heads = append(s.heads, h)
		urls = append(urls, h.url)
	}
	s.tell("two heads serve one store, with mutual TLS: %s", strings.Join(urls, " "))
	return nil
}

func (s *Story) startHead(handler *server.Head) (*head, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	h := &head{url: fmt.Sprintf("https://%s/", l.Addr()), cancel: cancel, ended: make(chan error, 1)}
	go func() {
		defer close(h.ended)
		h.ended <- server.Serve(ctx, handler, s.trust.Server(), l)
	}()
	return h, nil
}

func (s *Story) closeStore() {
	if s.store != nil {
		s.store.Close()
	}
	if s.trust != nil {
		s.trust.Close()
	}
}

// connect writes the properties that a site gives its controller, and reaches the heads by nothing else: the CA is DER, our identity
// a JKS key store.
func (s *Story) connect(context.Context) error {
	password, err := os.ReadFile(s.certs.PasswordFile)
	if err != nil {
		return err
	}
	text := orca.FormatProperties(
		property("comethost", s.heads[0].url+","+s.heads[1].url),
		property("comet.cacert", s.path("certs", "ca.der")),
		property("comet.clientkeystore", s.certs.ClientJKS),
		property("comet.clientkeystorepwd", strings.TrimSpace(string(password))),
		property("orca.comet.pubkeys.enabled", "true"),
		property("orca.comet.hosts.enabled", "true"),
	)
	path := s.path("controller.properties")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	config, err := orca.LoadConfig(path)
	if err != nil {
		return err
	}
	if s.conn, err = cli.SpecOf(config).Connect(s.log); err != nil {
		return err
	}
	s.tell("controller connected by %s: CA from DER, identity from JKS", path)
	return nil
}
