package main

import (
	"log/slog"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

// env is the environment variable of a flag.
func env(flag string) []string {
	return []string{"COMET_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

func stringFlag(name, value, usage string) *cli.StringFlag {
	return &cli.StringFlag{Name: name, Value: value, Usage: usage, EnvVars: env(name)}
}

func boolFlag(name, usage string) *cli.BoolFlag {
	return &cli.BoolFlag{Name: name, Usage: usage, EnvVars: env(name)}
}

// pathFlag is a flag whose value is the name of a file or folder.
func pathFlag(name, usage string) *cli.PathFlag {
	return &cli.PathFlag{Name: name, Usage: usage, EnvVars: env(name), TakesFile: true}
}

var placeholder = regexp.MustCompile(`^\$\{[^{}]*\}$`)

// text is the value of a flag; what a template left unfilled counts as not given.
func text(c *cli.Context, flag string) string {
	if s := c.String(flag); !placeholder.MatchString(s) {
		return s
	}
	return ""
}

// path is the same for the name of a file or folder.
func path(c *cli.Context, flag string) string {
	if s := c.Path(flag); !placeholder.MatchString(s) {
		return s
	}
	return ""
}

func logFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag("log-level", "info", "what to log to standard error: `LEVEL` is debug, info, warn or error"),
		stringFlag("log-format", "text", "how to log: `FORMAT` is text or json"),
	}
}

// newLogger logs to standard error as the flags say.
func newLogger(c *cli.Context) (*slog.Logger, error) {
	opts := new(slog.HandlerOptions)
	if s := text(c, "log-level"); s != "" {
		var level slog.Level
		if level.UnmarshalText([]byte(s)) != nil {
			return nil, usagef("--log-level %q is none of debug, info, warn, error", s)
		}
		opts.Level = level
	}
	switch s := text(c, "log-format"); s {
	case "text", "":
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.App.ErrWriter, opts)), nil
	default:
		return nil, usagef("--log-format %q is neither text nor json", s)
	}
}
