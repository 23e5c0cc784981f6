package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

func writeCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "write",
		Usage:     "store a value in an entry, in place of what is there",
		ArgsUsage: "CONTEXT FAMILY KEY",
		Description: "The value is read from --file, or from standard input: it may hold secrets, which arguments show to everybody.\n" +
			"It must be JSON. A list is stored as COMET stores lists, {\"val_\":\"[…]\"}; anything else as it is.\n\n" +
			"The read token is a part of the entry's identity: with another one, another entry of the same name is made. The command\n" +
			"says whether it created or updated; --update and --create insist.\n\n" +
			"   echo '[{\"hostName\":\"workers-0\",\"ip\":\"10.0.0.1\"}]' | cometctl write my-slice hostsall vm-1",
		Flags: withHeads(cli.ReadTokenFlag(), cli.WriteTokenFlag(), cli.OutputFlag(),
			&urfave.StringFlag{Name: "file", Usage: "`FILE` with the value; - is standard input", Value: "-"},
			&urfave.BoolFlag{Name: "raw", Usage: "store the value as it is, JSON or not"},
			&urfave.BoolFlag{Name: "create", Usage: "only where there is no entry"},
			&urfave.BoolFlag{Name: "update", Usage: "only where there is one"}),
		Action: write,
	}
}

func write(c *urfave.Context) error {
	if c.Bool("create") && c.Bool("update") {
		return cli.Usage("give one of them", "--create and --update exclude each other")
	}
	name, tokens, err := request(c, true)
	if err != nil {
		return err
	}
	value, err := readValue(c)
	if err != nil {
		return err
	}
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	outcome := comet.Created
	if c.Bool("create") {
		err = conn.Create(ctx, name, tokens, value)
	} else if err = expect(ctx, c, conn, name, tokens.Read); err == nil {
		outcome, err = conn.Write(ctx, name, tokens, value)
	}
	if err != nil {
		return err
	}
	if doubt := doubtful(name.Family); doubt != "" {
		fmt.Fprintf(c.App.ErrWriter, "%s: warning: %s\n", c.App.Name, doubt)
	}
	return cli.Say(c, shownWrite{nameOf(name), outcome.String()}, fmt.Sprintf("%s %s", outcome, told(name)))
}

type shownWrite struct {
	shownName
	Outcome string `json:"outcome"` // created or updated
}

// expect is an error where --update is given and the entry is not there.
func expect(ctx context.Context, c *urfave.Context, conn *cli.Connection, name scope.Name, read scope.Token) error {
	if !c.Bool("update") {
		return nil
	}
	_, err := conn.Read(ctx, name, read)
	return err
}

// readValue reads the value and, without --raw, makes sure that it is JSON.
func readValue(c *urfave.Context) ([]byte, error) {
	path := c.String("file")
	text, err := []byte(nil), error(nil)
	if path == "-" {
		path = "standard input"
		text, err = io.ReadAll(c.App.Reader)
	} else {
		text, err = os.ReadFile(path)
	}
	switch {
	case err != nil:
		return nil, cli.Input(fmt.Errorf("value: %w", err))
	case c.Bool("raw"):
		return text, nil
	case len(bytes.TrimSpace(text)) == 0:
		return nil, cli.Usage("an empty list is []", "%s: the value is empty", path)
	}
	if err := checkJSON(text); err != nil {
		return nil, cli.Usage("store it as it is with --raw", "%s: the value is not JSON: %w", path, err)
	}
	if text = bytes.TrimSpace(text); text[0] == '[' {
		return json.Marshal(map[string]string{"val_": string(text)})
	}
	if _, err := scope.ParseList(text); err != nil && text[0] == '{' {
		return nil, cli.Usage("store it as it is with --raw", "%s: %w", path, err)
	}
	return text, nil
}

// checkJSON says where a text is not JSON, without quoting it.
func checkJSON(text []byte) error {
	var any json.RawMessage
	err := json.Unmarshal(text, &any)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := min(int(syntax.Offset), len(text))
		return fmt.Errorf("line %d, byte %d of the value", 1+bytes.Count(text[:at], []byte("\n")), at)
	}
	return err
}
