package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// The variables by which handlers say where the commands that they run log to.
const (
	envLogDir   = "EC2_LOG_DIR"
	envLogFile  = "EC2_LOG_FILE"
	envLogLevel = "EC2_LOG_LEVEL"
)

const handlersLog = envLogDir + " and " + envLogFile + ", as handlers set them, name a file for the log and warnings, " + envLogLevel + " its level."

// environment is a variable, or nothing where a template left it unfilled.
func environment(name string) string {
	if v := os.Getenv(name); !orca.Unset(v) {
		return strings.TrimSpace(v)
	}
	return ""
}

// logged is a command whose log goes where handlers want it, if they do. What failed is on standard error all the same.
func logged(action urfave.ActionFunc) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		file, err := openLog(c)
		if err != nil {
			return cli.Input(fmt.Errorf("%s: %w", handlersFile(), err))
		}
		if file == nil {
			return action(c)
		}
		defer file.Close()
		defer func(w io.Writer) { c.App.ErrWriter = w }(c.App.ErrWriter)
		c.App.ErrWriter = file
		log, err := cli.Logger(c)
		if err != nil {
			return err
		}
		log = log.With(slog.Int("pid", os.Getpid()))
		log.Info(c.Command.FullName())
		if err = action(c); err != nil {
			log.Error(c.Command.FullName(), slog.String("failed", cli.OneLine(err)))
		}
		return err
	}
}

func handlersFile() string {
	dir, name := environment(envLogDir), environment(envLogFile)
	if dir == "" || name == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// openLog opens the file for the log and sets its level; nil where there is none.
func openLog(c *urfave.Context) (*os.File, error) {
	path := handlersFile()
	if path == "" {
		return nil, nil
	}
	if !c.IsSet("log-level") {
		level := cmp.Or(strings.ToLower(environment(envLogLevel)), "info")
		if level != "debug" && level != "error" {
			level = "info"
		}
		if err := c.Set("log-level", level); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}
