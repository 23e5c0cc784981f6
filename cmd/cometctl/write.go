package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
)

func writeCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "write",
		Usage:     "store a value in an entry, in place of what is there",
		ArgsUsage: "CONTEXT FAMILY KEY",
		Description: "The value is read from --file, or from standard input: it may hold secrets, which arguments show to everybody.\n" +
			"It must be JSON. A list is stored as COMET stores lists, {\"val_\":\"[…]\"}; anything else as it is.",
		Flags: withHeads(cli.ReadTokenFlag(), cli.WriteTokenFlag(),
			&urfave.StringFlag{Name: "file", Usage: "`FILE` with the value; - is standard input", Value: "-"},
			&urfave.BoolFlag{Name: "raw", Usage: "store the value as it is, JSON or not"}),
		Action: write,
	}
}

func write(c *urfave.Context) error {
	name, err := entryName(c)
	if err != nil {
		return err
	}
	tokens, err := cli.Tokens(c)
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
	outcome, err := conn.Write(ctx, name, tokens, value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s %s\n", outcome, name)
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
