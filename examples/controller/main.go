// Command controller is a service that looks after slices, as an ORCA controller does: it creates, extends, shows and removes them on
// request, through one client and under one trust, which follows its files while they change.
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: controller CONTROLLER.properties TOKENS-DIR ADDRESS")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, configFile, dir, address string) error {
	s, err := open(configFile, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	server := &http.Server{Addr: address, Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// service is what all requests share.
type service struct {
	controller *controller.Controller
	client     *comet.Client
	trust      *tlsconfig.Live
	dir        string // of the slices' token files
}

// open takes heads, trust and what is to be put down from a controller's properties file.
func open(configFile, dir string) (*service, error) {
	config, err := orca.LoadConfig(configFile)
	if err != nil {
		return nil, err
	}
	files := tlsconfig.Files{CA: config.CACert, KeyStore: config.KeyStore,
		KeyStorePassword: tlsconfig.NewPassword(config.KeyStorePassword.Reveal()), Cert: config.ClientCert, Key: config.ClientKey}
	trust, err := tlsconfig.Open(files, tlsconfig.Names{})
	if err != nil {
		return nil, err
	}
	client, err := comet.New(config.CometHost, nil, comet.WithTrust(trust))
	if err != nil {
		trust.Close()
		return nil, err
	}
	return &service{controller.New(client, controller.FromConfig(config)), client, trust, dir}, nil
}

// Close ends the connections.
func (s *service) Close() {
	s.client.Close()
	s.trust.Close()
}
