package main

import (
	"context"
	"encoding/json"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

func readCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "read",
		Usage:     "show an entry",
		ArgsUsage: "CONTEXT FAMILY KEY",
		Flags: withHeads(cli.ReadTokenFlag(), cli.OutputFlag(),
			&urfave.BoolFlag{Name: "raw", Usage: "print the value as it is stored, byte for byte"}),
		Action: read,
	}
}

func read(c *urfave.Context) error {
	name, tokens, err := request(c, false)
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	return showEntry(ctx, c, conn, name, tokens.Read)
}

func showEntry(ctx context.Context, c *urfave.Context, conn *cli.Connection, name scope.Name, token scope.Token) error {
	entry, err := conn.Read(ctx, name, token)
	if err != nil {
		return err
	}
	if c.Bool("raw") {
		_, err := c.App.Writer.Write(entry.Value)
		return err
	}
	shown := show(entry)
	return cli.Print(c, shown, shown.table)
}

// request takes CONTEXT, FAMILY and KEY from the arguments, and the tokens, for changes both, from files or the environment.
func request(c *urfave.Context, changes bool) (name scope.Name, tokens scope.Tokens, err error) {
	if err := cli.CheckOutput(c); err != nil {
		return name, tokens, err
	}
	args, err := cli.Args(c, "CONTEXT", "FAMILY", "KEY")
	if err != nil {
		return name, tokens, err
	}
	if name, err = scope.NewName(args[0], args[1], args[2]); err != nil {
		return name, tokens, cli.Input(err)
	}
	if changes {
		tokens, err = cli.Tokens(c, name.Key)
	} else {
		tokens.Read, err = cli.ReadToken(c)
	}
	return name, tokens, err
}

// shownEntry is an entry as it is printed: its elements where it has a list, else its value as JSON or text.
type shownEntry struct {
	shownName
	Elements []json.RawMessage `json:"elements,omitzero"` // nil where the value is no list
	Value    any               `json:"value,omitempty"`
}

func show(e comet.Entry) shownEntry {
	s := shownEntry{shownName: nameOf(e.Name)}
	list, err := scope.ParseList(e.Value)
	switch {
	case err == nil && (list.Len() > 0 || isList(e.Value)):
		s.Elements = []json.RawMessage{}
		for i := range list.Len() {
			s.Elements = append(s.Elements, list.Raw(i))
		}
	case json.Valid(e.Value):
		s.Value = json.RawMessage(e.Value)
	default:
		s.Value = string(e.Value)
	}
	return s
}

// isList reports whether an empty list is all that a value says.
func isList(value []byte) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) != nil {
		return true // the empty string: the entry was reset
	}
	_, has := object["val_"]
	return has || len(object) == 0
}

// table has a row per element and a column per member, in the order in which they first occur.
func (s shownEntry) table() cli.Table {
	if s.Value != nil {
		text, isText := s.Value.(string)
		if raw, isJSON := s.Value.(json.RawMessage); isJSON && !isText {
			text = string(raw)
		}
		return cli.Table{Rows: [][]string{{text}}}
	}
	t := cli.Table{Empty: "no elements"}
	for _, raw := range s.Elements {
		members := orderedMembers(raw)
		row := make([]string, len(t.Header))
		for _, m := range members {
			i := slices.Index(t.Header, m[0])
			if i < 0 {
				i = len(t.Header)
				t.Header = append(t.Header, m[0])
				row = append(row, "")
			}
			row[i] = m[1]
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
