// Command reader prints the addresses that the VMs of a slice have published so far: all that a monitoring program needs.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: COMET_READ_TOKEN=… reader HEADS CA.pem SLICE")
	}
	ca, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	token, err := scope.ParseToken(os.Getenv("COMET_READ_TOKEN"))
	if err != nil {
		log.Fatal("COMET_READ_TOKEN: ", err)
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], ca, os.Args[3], token); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, heads string, ca []byte, sliceID string, token scope.Token) error {
	roots, err := tlsconfig.ParseCA(ca, tlsconfig.Password{})
	if err != nil {
		return err
	}
	client, err := comet.New(heads, tlsconfig.Client(roots, nil)) // reading needs no certificate of one's own
	if err != nil {
		return err
	}
	defer client.Close()
	slice, err := scope.ParseContextID(sliceID)
	if err != nil {
		return err
	}
	entries, err := client.List(ctx, slice, scope.MustFamily("hostsall"), token)
	if err != nil {
		return err
	}
	for _, e := range entries {
		hosts, err := scope.Decode[scope.Host](e.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		for _, h := range hosts {
			if h.IP == "" {
				h.IP = "(not yet)"
			}
			fmt.Fprintf(out, "%s\t%s\n", h.IP, h.HostName)
		}
	}
	return nil
}
