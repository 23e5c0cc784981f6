// Command readwrite stores an entry at a head, reads it back, changes a part of it, and removes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: readwrite HEADS CERTS, as in: readwrite https://127.0.0.1:8111/ /tmp/comet/certs")
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, heads, certs string) error {
	// Whom to trust, and who we are: any of DER, PEM, JKS and PKCS#12. The files are followed while the program runs.
	password, err := tlsconfig.ReadPassword(filepath.Join(certs, "keystore.password"))
	if err != nil {
		return err
	}
	trust, err := tlsconfig.Open(tlsconfig.Files{
		CA:               filepath.Join(certs, "ca.der"),
		KeyStore:         filepath.Join(certs, "client.jks"),
		KeyStorePassword: password,
	}, tlsconfig.Names{})
	if err != nil {
		return err
	}
	defer trust.Close()

	client, err := comet.New(heads, nil, comet.WithTrust(trust)) // several heads: separated by commas
	if err != nil {
		return err
	}
	defer client.Close()

	name := scope.MustName("my-slice", "hostsall", "vm-1")
	tokens := scope.NewTokens() // keep them: without the read token nobody sees the entry again
	outcome, err := client.Write(ctx, name, tokens, scope.Encode(scope.Host{HostName: "workers-0"}))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, outcome, name)

	// Update is the one read-modify-write; what other programs keep in the value stays.
	if err := comet.Put(ctx, client, name, tokens, scope.Host{HostName: "workers-0", IP: "10.0.0.1"}); err != nil {
		return err
	}
	entry, err := client.Read(ctx, name, tokens.Read)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n", entry.Value)

	if err := client.Delete(ctx, name, tokens); err != nil {
		return err
	}
	if _, err = client.Read(ctx, name, tokens.Read); !errors.Is(err, comet.ErrNotFound) {
		return fmt.Errorf("it is still there: %w", err)
	}
	fmt.Fprintln(out, "removed", name)
	return nil
}
