package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/comet/orca"
)

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// unfilled takes variables out of the environment that a template left as ${…}: they count as unset.
func unfilled() {
	for _, e := range os.Environ() {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "COMET") && orca.Unset(value) {
			os.Unsetenv(name)
		}
	}
}

// Main runs a program and returns its exit code. Interrupt, termination and hang-up end its context, a second one the process.
func Main(app *cli.App) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // a reader that goes is an error like others, after which there may be things to undo
	unfilled()
	return Run(ctx, app, os.Args, Streams{os.Stdin, os.Stdout, os.Stderr})
}

// Run runs a program with these arguments and streams and returns its exit code. What failed is told on one line of Err.
func Run(ctx context.Context, app *cli.App, args []string, s Streams) int {
	app.Reader, app.Writer, app.ErrWriter = s.In, s.Out, s.Err
	app.Version = Version
	app.ExitErrHandler = func(*cli.Context, error) {} // exit codes are ours
	app.OnUsageError = usageError
	app.Action = unknownCommand
	app.CustomAppHelpTemplate = cli.AppHelpTemplate + "\n" + ExitCodes
	prepare(app.Commands)
	err := app.RunContext(ctx, helped(app.Commands, args))
	if _, ours := errors.AsType[acted](err); err != nil && !ours {
		err = Input(err) // the flag parser's own, such as an environment variable that makes no sense
	}
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %s\n", app.Name, OneLine(err))
	}
	return Code(err)
}

// acted marks the errors of commands.
type acted struct{ error }

func (a acted) Unwrap() error { return a.error }

func prepare(commands []*cli.Command) {
	for _, c := range commands {
		if action := c.Action; action != nil {
			c.Action = func(ctx *cli.Context) error {
				if err := action(ctx); err != nil {
					return acted{err}
				}
				return nil
			}
		}
		c.HideHelpCommand = true
		c.OnUsageError = usageError
		c.CustomHelpTemplate = cli.CommandHelpTemplate + "\n" + ExitCodes
		if slices.ContainsFunc(c.Flags, inCategory) {
			c.CustomHelpTemplate = cli.CommandHelpTemplate + ExitCodes // there is a blank line behind categories
		}
		if slices.Contains([]string{"rm", "remove", "delete", "withdraw"}, c.Name) {
			c.CustomHelpTemplate += removalCodes
		}
		if len(c.Subcommands) > 0 {
			c.Action = unknownCommand
			usage := strings.Replace(cli.SubcommandHelpTemplate, `{{template "usageTemplate" .}}`, "{{.HelpName}} command [command options]", 1)
			c.CustomHelpTemplate = usage + "\n" + ExitCodes
		}
		prepare(c.Subcommands)
	}
}

func inCategory(f cli.Flag) bool {
	of, ok := f.(cli.CategorizableFlag)
	return ok && of.GetCategory() != ""
}

// oneDash finds flags as the parser names them.
var oneDash = regexp.MustCompile(`\b(flag|argument:) -([a-z][a-z-]+)`)

func usageError(c *cli.Context, err error, _ bool) error {
	text := strings.Replace(err.Error(), "flag provided but not defined: ", "unknown flag ", 1)
	text = oneDash.ReplaceAllString(text, "$1 --$2")
	if flag, unknown := strings.CutPrefix(text, "unknown flag "); unknown && c.Command.HelpName == c.App.Name && ofACommand(c.App.Commands, flag) {
		return Usage(fmt.Sprintf("flags go behind the command: %s COMMAND %s …", c.App.Name, flag), "%s stands before the command", flag)
	}
	if strings.HasSuffix(text, "parse error") && strings.Contains(text, "for flag") {
		text += howWritten(c, text)
	}
	return Usage(seeHelp(c), "%s", text)
}

// howWritten says how the flag that an error is about is written.
func howWritten(c *cli.Context, text string) string {
	for _, f := range c.Command.Flags {
		if !slices.ContainsFunc(f.Names(), func(n string) bool { return strings.HasSuffix(text, "flag --"+n+": parse error") }) {
			continue
		}
		switch f.(type) {
		case *cli.DurationFlag:
			return " (a time has a unit, as in 30s, 5m or 720h)"
		case *cli.IntFlag, *cli.Int64Flag, *cli.UintFlag, *cli.Uint64Flag:
			return " (it is a whole number, without a unit)"
		}
	}
	return ""
}

// ofACommand tells whether any command has such a flag.
func ofACommand(commands []*cli.Command, flag string) bool {
	name := strings.TrimLeft(flag, "-")
	return slices.ContainsFunc(commands, func(c *cli.Command) bool {
		return ofACommand(c.Subcommands, flag) ||
			slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	})
}

func unknownCommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return Usage(seeHelp(c), "unknown command %q", name)
	}
	return Usage(seeHelp(c), "no command")
}

func seeHelp(c *cli.Context) string {
	name := c.App.Name
	if c.Command != nil && c.Command.HelpName != "" {
		name = c.Command.HelpName
	}
	return "see " + name + " --help"
}

// Required is an error that names the first of these flags that is not given.
func Required(c *cli.Context, flags ...string) error {
	for _, f := range flags {
		if !c.IsSet(f) || len(c.StringSlice(f)) == 0 && Given(c, f) == "" {
			return Usage(seeHelp(c), "--%s is missing", f)
		}
	}
	return nil
}

// Args returns the command's arguments, of which there are as many as names, or fewer where the last names are in brackets. Flags
// behind an argument are not parsed, which is said here.
func Args(c *cli.Context, names ...string) ([]string, error) {
	args := c.Args().Slice()
	for _, a := range args {
		if strings.HasPrefix(a, "-") && a != "-" {
			return nil, Usage("flags come first, arguments last", "%q stands behind an argument", a)
		}
	}
	required := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			required++
		}
	}
	switch {
	case len(args) < required:
		return nil, Usage(seeHelp(c), "%s is missing", names[len(args)])
	case len(args) > len(names):
		return nil, Usage(seeHelp(c), "%q is one argument too many", args[len(names)])
	}
	return append(args, make([]string, len(names)-len(args))...), nil
}
