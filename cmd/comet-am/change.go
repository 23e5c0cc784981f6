package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

const sections = "SECTION is users, interfaces, storage, routes or scripts; global is accepted, and nothing is done."

func settleFlag() urfave.Flag {
	return &urfave.DurationFlag{Name: "settle",
		Usage: "`TIME` after which a head without conditional changes is asked once more whether the change is still there"}
}

func addCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "add",
		Usage:     "put one user, interface, disk, route or script into what a VM has",
		ArgsUsage: "SECTION KEY [VALUE]",
		Description: "The element with that key is replaced, all others stay as they are. " + sections + "\n" +
			"VALUE has fields separated by colons. In place of it - reads it from standard input, where a CHAP secret or a script belongs:\n" +
			"everybody on the machine sees arguments.\n\n" +
			"   users LOGIN          SUDO:KEYS (KEYS joined by colons; they are added to those of a user that is there)\n" +
			"   interfaces MAC       STATE:IPVERSION[:CIDR]\n" +
			"   storage DEVICE       TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH[:FSTYPE[:FSOPTIONS[:FORMAT[:MOUNTPOINT]]]]\n" +
			"                        (TYPE is iscsi, LUN 0 where it is empty, ATTACH and FORMAT yes or no)\n" +
			"   routes NETWORK       NEXTHOP\n" +
			"   scripts NAME         BODY\n\n" +
			"Without VALUE the fields are those of the section's flags, in which any character may stand.",
		Flags:  flags(append(elementFlags(), settleFlag())...),
		Action: logged(addElement),
	}
}

func deleteCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "delete",
		Usage:       "take one user, interface, disk, route or script out of what a VM has",
		ArgsUsage:   "SECTION KEY",
		Description: sections + " What is not there counts as deleted.",
		Flags:       flags(settleFlag()),
		Action:      logged(deleteElement),
	}
}

func addElement(c *urfave.Context) error {
	args, err := cli.Args(c, "SECTION", "KEY", "[VALUE]")
	if err != nil {
		return err
	}
	key := args[1]
	family, ok, err := section(c, args[0], key)
	if err != nil || !ok {
		return err
	}
	e, err := element(c, family, key, args[2], c.NArg() == 3)
	if err != nil {
		return err
	}
	return withUnit(c, func(ctx context.Context, client *comet.Client, unit orca.Unit) error {
		replaced, err := am.Add(ctx, client, unit, e, c.Duration("settle"))
		if err != nil {
			return changeError(err)
		}
		did := "added"
		if replaced {
			did = "replaced"
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s %s %s\n", did, family, key)
		return err
	})
}

// changeError marks what is wrong with the element as bad input, and says what to do where there is nothing to add to.
func changeError(err error) error {
	if _, ok := errors.AsType[*scope.FieldError](err); ok {
		return cli.Input(err)
	}
	if errors.Is(err, comet.ErrNotFound) {
		return fmt.Errorf("%w; generate puts the families down", err)
	}
	return err
}

func deleteElement(c *urfave.Context) error {
	args, err := cli.Args(c, "SECTION", "KEY")
	if err != nil {
		return err
	}
	family, ok, err := section(c, args[0], args[1])
	if err != nil || !ok {
		return err
	}
	return withUnit(c, func(ctx context.Context, client *comet.Client, unit orca.Unit) error {
		removed, err := am.Delete(ctx, client, unit, family, args[1], c.Duration("settle"))
		switch {
		case errors.Is(err, comet.ErrNotFound):
			fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", c.App.Name, cli.OneLine(err))
		case err != nil:
			return changeError(err)
		}
		did := "deleted"
		if !removed {
			did = "not there:"
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s %s %s\n", did, family, args[1])
		return err
	})
}

// section is the family that a section means; ok is false where there is nothing to do.
func section(c *urfave.Context, name, key string) (family scope.Family, ok bool, err error) {
	limit, err := cli.Timeout(c)
	if err != nil {
		return family, false, err
	}
	family, ok, err = am.Section(name)
	switch settle := c.Duration("settle"); {
	case settle < 0:
		return family, false, cli.Usage("give a time such as 2s", "--settle %s makes no sense", settle)
	case settle >= limit:
		return family, false, cli.Usage("give the command more time than that", "--settle %s does not fit into --timeout %s", settle, limit)
	case err != nil:
		return family, false, cli.Input(err)
	case !ok:
		_, err = fmt.Fprintf(c.App.Writer, "section %s: nothing to do\n", name)
	case orca.Unset(key) || strings.TrimSpace(key) == "":
		return family, false, cli.Usage("give what the element is found by", "%s: KEY is not set", name)
	}
	return family, ok, err
}
