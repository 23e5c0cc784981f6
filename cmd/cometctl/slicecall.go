package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/secrecy"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func sliceCallCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "call",
		Usage:     "do what an input file of the Python COMET client says",
		ArgsUsage: "OPERATION FILE",
		Description: "OPERATION is one of\n\n" +
			"   create_family       put the value down; what stands is kept\n" +
			"   update_family       replace the value of an entry that is there\n" +
			"   get_family          show an entry\n" +
			"   delete_family       remove an entry\n" +
			"   enumerate_families  list what the read token shows, of one family where the file names one\n" +
			"   delete_families     remove all that the read token shows of the file's key\n\n" +
			"The heads come from --comethost. caCert, cert and certKey of the file are used where neither flags nor environment say other.",
		Flags:  withHeads(cli.OutputFlag()),
		Action: sliceCall,
	}
}

// operation is one of the Python client's, and what it needs of the file besides context and read token.
type operation struct {
	needs []string
	do    func(context.Context, *urfave.Context, *cli.Connection, orca.ClientInput) error
}

var operations = map[string]operation{
	"create_family":      {[]string{"writeToken", "family", "key", "value"}, createFamily},
	"update_family":      {[]string{"writeToken", "family", "key", "value"}, updateFamily},
	"get_family":         {[]string{"family", "key"}, getFamily},
	"delete_family":      {[]string{"writeToken", "family", "key"}, deleteFamily},
	"enumerate_families": {nil, enumerateFamilies},
	"delete_families":    {[]string{"writeToken", "key"}, deleteFamilies},
}

func sliceCall(c *urfave.Context) error {
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	args, err := cli.Args(c, "OPERATION", "FILE")
	if err != nil {
		return err
	}
	o, known := operations[args[0]]
	if !known {
		return cli.Usage("see cometctl slice call --help", "%q is no operation", args[0])
	}
	in, err := orca.LoadClientInput(args[1])
	if err != nil {
		return cli.Input(err)
	}
	if missing := missingMember(in, o.needs); missing != "" {
		return cli.Usage("", "%s: %s: is missing; %s needs it", args[1], missing, args[0])
	}
	if mode, exposed := secrecy.Exposed(args[1]); exposed {
		fmt.Fprintf(c.App.ErrWriter, "%s: warning: others may read %s (mode %04o), which has tokens in it\n", c.App.Name, args[1], mode)
	}
	if err := trustOf(c, in); err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return o.do(ctx, c, conn, in)
}

// missingMember names what the file lacks; empty where it has all.
func missingMember(in orca.ClientInput, needs []string) string {
	lacks := map[string]bool{
		"contextId": in.Name.Context.IsZero(), "readToken": in.Tokens.Read.IsZero(), "writeToken": in.Tokens.Write.IsZero(),
		"family": in.Name.Family.IsZero(), "key": in.Name.Key.IsZero(), "value": in.Value.Reveal() == "",
	}
	for _, member := range append([]string{"contextId", "readToken"}, needs...) {
		if lacks[member] {
			return member
		}
	}
	return ""
}

// trustOf takes the file's certificates where neither flags, environment nor --config name any.
func trustOf(c *urfave.Context, in orca.ClientInput) error {
	if cli.Given(c, "config") != "" {
		return nil
	}
	own := cli.Given(c, "keystore") == "" && cli.Given(c, "cert") == "" && cli.Given(c, "key") == ""
	for _, f := range []struct {
		flag, path string
		use        bool
	}{
		{"cacert", in.CACert, cli.Given(c, "cacert") == ""}, {"cert", in.Cert, own}, {"key", in.CertKey, own},
	} {
		if f.use && f.path != "" {
			if err := c.Set(f.flag, f.path); err != nil {
				return err
			}
		}
	}
	return nil
}

func createFamily(ctx context.Context, c *urfave.Context, conn *cli.Connection, in orca.ClientInput) error {
	outcome := "created"
	err := conn.Create(ctx, in.Name, in.Tokens, []byte(in.Value.Reveal()))
	if errors.Is(err, comet.ErrExists) {
		outcome, err = "kept", nil
	}
	if err != nil {
		return err
	}
	return cli.Say(c, shownWrite{nameOf(in.Name), outcome}, outcome+" "+told(in.Name))
}

func updateFamily(ctx context.Context, c *urfave.Context, conn *cli.Connection, in orca.ClientInput) error {
	if _, err := conn.Read(ctx, in.Name, in.Tokens.Read); err != nil {
		return err
	}
	outcome, err := conn.Write(ctx, in.Name, in.Tokens, []byte(in.Value.Reveal()))
	if err != nil {
		return err
	}
	return cli.Say(c, shownWrite{nameOf(in.Name), outcome.String()}, fmt.Sprintf("%s %s", outcome, told(in.Name)))
}

func getFamily(ctx context.Context, c *urfave.Context, conn *cli.Connection, in orca.ClientInput) error {
	return showEntry(ctx, c, conn, in.Name, in.Tokens.Read)
}

func deleteFamily(ctx context.Context, c *urfave.Context, conn *cli.Connection, in orca.ClientInput) error {
	return removeEntry(ctx, c, conn, in.Name, in.Tokens)
}

func enumerateFamilies(ctx context.Context, c *urfave.Context, conn *cli.Connection, in orca.ClientInput) error {
	return listEntries(ctx, c, conn, listing{in.Name.Context, in.Name.Family, in.Tokens.Read})
}

// deleteFamilies removes what the read token shows of one VM, and nothing of others.
func deleteFamilies(ctx context.Context, c *urfave.Context, conn *cli.Connection, in orca.ClientInput) error {
	entries, err := conn.List(ctx, in.Name.Context, scope.Family{}, in.Tokens.Read)
	if err != nil {
		return err
	}
	var items []comet.Item
	var names []string
	for _, e := range entries {
		if e.Name.Key == in.Name.Key {
			items = append(items, comet.Item{Name: e.Name, Tokens: in.Tokens})
			names = append(names, e.Name.Family.String())
		}
	}
	slices.Sort(names)
	removed, err := conn.DeleteMany(ctx, items, comet.Bulk{All: true})
	if err != nil {
		return err
	}
	shown := shownRemovals{in.Name.Context.String(), in.Name.Key.String(), append([]string{}, names...)}
	if len(items) == 0 {
		return cli.Say(c, shown, "nothing is there, or the read token is wrong")
	}
	return cli.Say(c, shown, fmt.Sprintf("removed %d entries of %s/%s: %s", removed, in.Name.Context, in.Name.Key, strings.Join(names, ", ")))
}

type shownRemovals struct {
	Context  string   `json:"context"`
	Key      string   `json:"key"`
	Families []string `json:"families"` // that were there, and are gone
}
