// Command controller puts down the place-holders of a slice's VMs, as an ORCA controller does: ten lines of SDK between reading a
// configuration and being done.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: controller CONTROLLER.properties SLICE.json TOKENS.json")
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, configFile, sliceFile, tokenFile string) error {
	config, err := orca.LoadConfig(configFile)
	if err != nil {
		return err
	}
	trust, err := tlsconfig.Open(tlsconfig.Files{CA: config.CACert, KeyStore: config.KeyStore,
		KeyStorePassword: tlsconfig.NewPassword(config.KeyStorePassword.Reveal())}, tlsconfig.Names{})
	if err != nil {
		return err
	}
	defer trust.Close()
	client, err := comet.New(config.CometHost, nil, comet.WithTrust(trust))
	if err != nil {
		return err
	}
	defer client.Close()
	slice, err := orca.LoadSlice(sliceFile)
	if err != nil {
		return err
	}
	tokens, err := controller.OpenTokens(ctx, tokenFile, slice)
	if err != nil {
		return err
	}
	created, err := controller.New(client, controller.FromConfig(config)).Create(ctx, slice, tokens)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "slice %s: %s\n", slice.ID, created)
	return nil
}
