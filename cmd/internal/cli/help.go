package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// helped returns arguments that show the help that is asked for, in whichever way: "help token new", "token help new", or --help
// somewhere behind the command. Others come back as they are.
func helped(commands []*cli.Command, args []string) []string {
	path, asked := args[:1:1], false
	rest := args[1:]
	for ; len(rest) > 0 && len(commands) > 0; rest = rest[1:] {
		if rest[0] == "help" {
			asked = true
			continue
		}
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(rest[0]) })
		if i < 0 {
			break
		}
		path, commands = append(path, rest[0]), commands[i].Subcommands
	}
	switch {
	case !asked && !asksForHelp(rest):
		return args
	case len(commands) > 0 && len(rest) > 0 && !strings.HasPrefix(rest[0], "-"): // no such command, which is said
		return append(path, rest[0])
	}
	return append(path, "--help")
}

func asksForHelp(args []string) bool {
	for _, a := range args {
		switch a {
		case "--help", "-help", "-h":
			return true
		case "--":
			return false
		}
	}
	return false
}
