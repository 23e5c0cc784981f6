// Command am is a handler of an aggregate manager: join puts down what a VM needs and writes its user data, leave takes it all away.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: am join|leave AM.properties UNIT.properties TOKENS USERDATA")
	}
	h, err := open(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	if err := h.run(context.Background(), os.Stdout, os.Args[1], os.Args[4], os.Args[5]); err != nil {
		log.Fatal(err)
	}
}

// handler does one VM's part.
type handler struct {
	config     orca.Config
	properties orca.Properties
	unit       orca.Unit
}

func open(configFile, unitFile string) (h handler, err error) {
	if h.config, err = orca.LoadConfig(configFile); err != nil {
		return h, err
	}
	if h.properties, err = orca.LoadProperties(unitFile); err != nil {
		return h, err
	}
	h.unit, err = orca.NewUnit(h.properties)
	return h, err
}

func (h handler) run(ctx context.Context, out io.Writer, operation, tokenFile, userDataFile string) error {
	trust, err := tlsconfig.Open(tlsconfig.Files{CA: h.config.CACert, KeyStore: h.config.KeyStore,
		KeyStorePassword: tlsconfig.NewPassword(h.config.KeyStorePassword.Reveal())}, tlsconfig.Names{})
	if err != nil {
		return err
	}
	defer trust.Close()
	client, err := comet.New(h.config.CometHost, nil, comet.WithTrust(trust))
	if err != nil {
		return err
	}
	defer client.Close()
	switch operation {
	case "join":
		// On disk before anything is put down with them; a repeat finds them there.
		if h.unit.Tokens, err = am.OpenTokens(ctx, tokenFile, h.unit); err != nil {
			return err
		}
		return h.join(ctx, client, out, userDataFile)
	case "leave":
		// With new ones there would be nothing to remove, and what the VM has would stay for ever.
		if h.unit.Tokens, err = am.LoadTokens(tokenFile, h.unit); err != nil {
			return err
		}
		return h.leave(ctx, client, out)
	}
	return fmt.Errorf("unknown operation %q", operation)
}

func (h handler) join(ctx context.Context, client *comet.Client, out io.Writer, userDataFile string) error {
	families, err := am.Generate(h.properties)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(h.config.CACert)
	if err != nil {
		return err
	}
	told, err := am.UserData(h.unit, am.Heads{List: h.config.CometHost, CACert: ca})
	if err != nil {
		return err
	}
	if err := told.Save(userDataFile); err != nil {
		return err
	}
	if err := am.Publish(ctx, client, h.unit, families); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n", h.unit.HostName, families.IfaceList())
	return nil
}

func (h handler) leave(ctx context.Context, client *comet.Client, out io.Writer) error {
	own, err := am.Remove(ctx, client, h.unit)
	placed := 0
	if h.unit.Slice.Tokens != (scope.Tokens{}) {
		var more error
		placed, more = am.RemoveFromSlice(ctx, client, h.unit)
		err = errors.Join(err, more)
	}
	fmt.Fprintf(out, "%s: %d entries of its own and %d of its slice removed\n", h.unit.HostName, own, placed)
	return err
}
