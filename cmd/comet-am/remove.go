package main

import (
	"errors"
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func removeCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "remove",
		Usage: "take away all that a VM has, and its place in its slice",
		Description: "Takes away the entries under the VM's own tokens, and under the slice's tokens those of this VM alone; without slice tokens,\n" +
			"the former. Prints OK for each pair of tokens, or which one failed. What is gone already counts as removed.\n\n" +
			"What --properties do not say, the environment may, as handlers set it: SLICE_ID, R_ID, UNIT_READ_TOKEN, UNIT_WRITE_TOKEN,\n" +
			"SLICE_READ_TOKEN, SLICE_WRITE_TOKEN.",
		Flags:  flags(),
		Action: logged(remove),
	}
}

func remove(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	files, unit, err := leaving(c)
	if err != nil {
		return err
	}
	ctx, conn, err := connect(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	own := removed(c, "Unit", func() (int, error) { return am.Remove(ctx, conn.Client, unit) })
	if unit.Slice.Tokens == (scope.Tokens{}) {
		if own == nil {
			fmt.Fprintf(c.App.ErrWriter, "%s: warning: no slice.comet.readToken: if the VM has a place in its slice, that stays\n", c.App.Name)
		}
		return files.incomplete(own)
	}
	placed := removed(c, "Slice", func() (int, error) { return am.RemoveFromSlice(ctx, conn.Client, unit) })
	return files.incomplete(errors.Join(own, placed))
}

// removed says what handlers look for.
func removed(c *urfave.Context, whose string, remove func() (int, error)) error {
	n, err := remove()
	says := "OK"
	if err != nil {
		says = "Comet failed to remove " + whose + " VM scope"
	}
	if err == nil && n == 0 {
		fmt.Fprintf(c.App.ErrWriter, "%s: %s VM scope: nothing is there, or the read token is wrong\n", c.App.Name, whose)
	}
	_, printing := fmt.Fprintln(c.App.Writer, says)
	return errors.Join(err, printing)
}

// leaving is the VM that the properties and the environment describe.
func leaving(c *urfave.Context) (files unitFiles, unit orca.Unit, err error) {
	if len(c.StringSlice("properties")) > 0 {
		if files, unit, err = load(c); err != nil {
			return files, unit, err
		}
	}
	err = errors.Join(
		fill(&unit.SliceID, "SLICE_ID", scope.ParseContextID),
		fill(&unit.ReservationID, "R_ID", scope.ParseKey),
		fill(&unit.Tokens.Read, "UNIT_READ_TOKEN", scope.ParseToken),
		fill(&unit.Tokens.Write, "UNIT_WRITE_TOKEN", scope.ParseToken),
		fill(&unit.Slice.Tokens.Read, "SLICE_READ_TOKEN", scope.ParseToken),
		fill(&unit.Slice.Tokens.Write, "SLICE_WRITE_TOKEN", scope.ParseToken),
	)
	if err != nil {
		return files, unit, cli.Input(err)
	}
	return files, unit, whole(unit, len(files.sources) > 0)
}

// fill sets what is not set yet from a variable.
func fill[T comparable](at *T, variable string, parse func(string) (T, error)) error {
	var none T
	text := environment(variable)
	if *at != none || text == "" {
		return nil
	}
	v, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	*at = v
	return nil
}

// whole refuses a unit of which nobody could say that all of it is gone.
func whole(unit orca.Unit, fromFiles bool) error {
	hint := "give --properties, or set it"
	if fromFiles {
		hint = "give the file that has it with --properties too, or set it"
	}
	none := scope.Token{}
	slice := unit.Slice.Tokens != scope.Tokens{}
	for _, part := range []struct {
		variable string
		missing  bool
	}{
		{"SLICE_ID", unit.SliceID.IsZero()},
		{"R_ID", unit.ReservationID.IsZero()},
		{"UNIT_READ_TOKEN", unit.Tokens.Read == none},
		{"UNIT_WRITE_TOKEN", unit.Tokens.Write == none},
		{"SLICE_READ_TOKEN", slice && unit.Slice.Tokens.Read == none},
		{"SLICE_WRITE_TOKEN", slice && unit.Slice.Tokens.Write == none},
	} {
		if part.missing {
			return cli.Usage(hint, "%s is missing", part.variable)
		}
	}
	return nil
}
