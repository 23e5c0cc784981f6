package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

const settingsFile = settings.File

const (
	categoryWho   = "Who the VM is"
	categoryTrust = "Heads"
	categoryGiven = "Instead of metadata"
)

// machineFlags say which machine is meant.
func machineFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.StringFlag{Name: "root", EnvVars: cli.Env("root"), Usage: "folder `DIR` below which the machine's files lie, those that settings name too", Value: "/"},
		&urfave.StringFlag{Name: "settings", EnvVars: cli.Env("settings"), Usage: "settings `FILE` (default: " + settings.File + " below the root)"},
	}
}

// flags are those of all commands that need to know who the VM is. They win over the settings.
func flags(more ...urfave.Flag) []urfave.Flag {
	all := append(machineFlags(),
		&urfave.StringFlag{Name: "user-data", Category: categoryWho, Usage: "`FILE` that says who the VM is: user data, meta_data.json, or the body that sets it; wherever the root is"},
		&urfave.StringFlag{Name: "metadata", Category: categoryWho, Usage: "`URL` of the metadata service"},
		&urfave.StringFlag{Name: "address", Category: categoryWho, Usage: "the `ADDRESS` to publish: auto, public, private, \"interface NAME\", none, or an address"},
		&urfave.StringFlag{Name: "cacert", EnvVars: []string{"COMETCACERT"}, Category: categoryTrust, Usage: "`FILE` with the CA that heads are verified with; wherever the root is"},
		&urfave.StringSliceFlag{Name: "server-name", EnvVars: cli.Env("server-name"), Category: categoryTrust, Usage: "`NAME` that heads may bear; repeatable"},
		&urfave.BoolFlag{Name: "any-server-name", EnvVars: cli.Env("any-server-name"), Category: categoryTrust, Usage: "heads may bear any name under the CA"},
		&urfave.BoolFlag{Name: "insecure", EnvVars: cli.Env("insecure"), Category: categoryTrust, Usage: "heads are not verified: whoever is in between is root on this VM"},
		&urfave.StringFlag{Name: "comethost", EnvVars: []string{"COMETHOST"}, Category: categoryGiven, Usage: "heads, `URL,URL…`; they count with --slice alone"},
		&urfave.StringFlag{Name: "slice", Category: categoryGiven, Usage: "the slice's `ID`, which is the context; with it no metadata is asked, and " + strings.Join(guest.ORCAOnly(), ", ") + " are off unless settings say otherwise"},
		&urfave.StringFlag{Name: "key", Category: categoryGiven, Usage: "the VM's `KEY` in it (default: the host name)"},
		&urfave.StringFlag{Name: "host-name", Category: categoryGiven, Usage: "the VM's `NAME` in it (default: the machine's host name)"},
		&urfave.StringSliceFlag{Name: "group", Category: categoryGiven, Usage: "`GROUP` that the VM is in; repeatable (default: all)"},
		cli.ReadTokenFlag(),
		cli.WriteTokenFlag(),
	)
	return append(append(all, more...), cli.LogFlags("")...)
}

// askingNobody hides the flags about heads, which a command takes and hardly needs.
func askingNobody(all []urfave.Flag) []urfave.Flag {
	for _, f := range all {
		switch f := f.(type) {
		case *urfave.StringFlag:
			f.Hidden = f.Hidden || f.Category == categoryTrust || strings.HasSuffix(f.Name, "-token-file")
		case *urfave.StringSliceFlag:
			f.Hidden = f.Category == categoryTrust
		case *urfave.BoolFlag:
			f.Hidden = f.Hidden || f.Category == categoryTrust
		}
	}
	return all
}

// loader returns what reads the settings, with the flags over them.
func loader(c *urfave.Context) func() (settings.Settings, error) {
	return func() (settings.Settings, error) {
		s, err := settings.Load(c.String("root"), c.String("settings"))
		if err != nil {
			return s, err
		}
		override(&s.Metadata, c.String("metadata"))
		if address := c.String("address"); address != "" {
			if err := s.SetAddress(address); err != nil {
				return s, cli.Usage("", "--%w", err)
			}
		}
		if names := c.StringSlice("server-name"); len(names) > 0 {
			s.ServerName = names
		}
		s.AnyName, s.Insecure = s.AnyName || c.Bool("any-server-name"), s.Insecure || c.Bool("insecure")
		override(&s.LogLevel, c.String("log-level"))
		if err := onlyThese(&s, c.StringSlice("only")); err != nil {
			return s, err
		}
		if c.IsSet("every") {
			if s.Every = c.Duration("every"); s.Every <= 0 {
				return s, cli.Usage("give a time such as 10s", "--every %s makes no sense", s.Every)
			}
		}
		return s, nil
	}
}

// onlyThese leaves all other modules out. One that is off works for once; one that observes goes on to.
func onlyThese(s *settings.Settings, only []string) error {
	if len(only) == 0 {
		return nil
	}
	for _, name := range only {
		if !slices.Contains(guest.ModuleNames(), name) {
			return cli.Usage("modules are "+strings.Join(guest.ModuleNames(), ", "), "--only %s: there is no such module", name)
		}
	}
	s.Only = only
	for _, name := range only {
		if s.Modules[name] != guest.Observe {
			s.Modules[name] = guest.On
		}
	}
	return nil
}

func override(at *string, value string) { *at = cmp.Or(value, *at) }

// below reports whether a folder stands for the machine.
func below(c *urfave.Context) bool { return filepath.Clean(c.String("root")) != "/" }

// asRoot is an error where somebody who is not root means the machine itself.
func asRoot(c *urfave.Context) error {
	if below(c) || os.Geteuid() == 0 {
		return nil
	}
	return cli.Usage("", "this needs root: sudo %s", c.Command.HelpName)
}

// errand makes the service for a command that does one thing, which logs what is wrong and no more.
func errand(c *urfave.Context) (*service.Service, error) { return newService(c, "warn") }

// asRootErrand is errand for a command that only root may call.
func asRootErrand(c *urfave.Context) (*service.Service, error) {
	if err := asRoot(c); err != nil {
		return nil, err
	}
	return errand(c)
}

// newService makes the service that the flags ask for, without starting anything. It logs at this level, or, where it is empty, as the
// settings say.
func newService(c *urfave.Context, logs string) (*service.Service, error) {
	if err := folder(c.String("root")); err != nil {
		return nil, err
	}
	level, load := &slog.LevelVar{}, loader(c)
	if logs == "" {
		load = levelled(load, level)
	} else if err := level.UnmarshalText([]byte(logs)); err != nil {
		return nil, err
	}
	if _, err := load(); err != nil {
		return nil, cli.Input(err)
	}
	log, err := cli.LoggerAt(c, level)
	if err != nil {
		return nil, err
	}
	given, err := given(c)
	if err != nil {
		return nil, err
	}
	s := &service.Service{Root: c.String("root"), Settings: load, Given: given, Log: log, Version: cli.Version}
	for flag, at := range map[string]*string{"user-data": &s.UserData, "cacert": &s.CACert} {
		if file := c.String(flag); file != "" {
			if *at, err = filepath.Abs(file); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// levelled makes a level follow the settings, with the flag over them, whenever they are read.
func levelled(load func() (settings.Settings, error), level *slog.LevelVar) func() (settings.Settings, error) {
	return func() (settings.Settings, error) {
		s, err := load()
		if err == nil {
			_ = level.UnmarshalText([]byte(s.LogLevel)) // of a flag that is no level cli.LoggerAt says so
		}
		return s, err
	}
}

// folder is an error where the root is no folder.
func folder(root string) error {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", root)
	}
	if err != nil {
		return cli.Usage("name a folder that is there", "--root: %w", err)
	}
	return nil
}

// given is who the VM is as flags say, nil where they do not.
func given(c *urfave.Context) (*identity.Given, error) {
	if c.String("slice") == "" {
		for _, flag := range []string{"key", "host-name", "group"} {
			if c.IsSet(flag) {
				return nil, cli.Usage("give --slice ID and --comethost too", "--%s alone does not say who the VM is", flag)
			}
		}
		return nil, nil
	}
	if err := cli.Required(c, "comethost"); err != nil {
		return nil, err
	}
	name, err := c.String("host-name"), error(nil)
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	u := orca.UserData{CometHost: c.String("comethost")}
	u.HostName = scope.CanonicalHostName(name)
	if u.SliceID, err = scope.ParseContextID(c.String("slice")); err != nil {
		return nil, cli.Usage("", "--slice: %w", err)
	}
	if u.ReservationID, err = scope.ParseKey(cmp.Or(c.String("key"), u.HostName)); err != nil {
		return nil, cli.Usage("", "--key: %w", err)
	}
	tokens, err := givenTokens(c, u.ReservationID)
	if err != nil {
		return nil, err
	}
	groups := c.StringSlice("group")
	if len(groups) == 0 {
		groups = []string{scope.DefaultGroup}
	}
	u.ReadToken = tokens.Read // a VM without metadata finds its scripts under the slice's token
	u.Slice = orca.SliceAccess{Tokens: tokens, HostsRead: groups, HostsWrite: groups, PubKeysRead: groups, PubKeysWrite: groups}
	return &identity.Given{UserData: u}, nil
}

// givenTokens are the slice's tokens; a VM that has no write token publishes nothing.
func givenTokens(c *urfave.Context, key scope.Key) (t scope.Tokens, err error) {
	if t.Read, err = cli.ReadToken(c); err != nil {
		return t, err
	}
	if cli.Given(c, "write-token-file") == "" && os.Getenv("COMET_WRITE_TOKEN") == "" {
		return t, nil
	}
	return cli.Tokens(c, key)
}

// told gives an error of the service the exit code that it stands for.
func told(err error) error {
	if nobody, ok := errors.AsType[*identity.NotFoundError](err); ok {
		return fmt.Errorf("%w; give --user-data FILE, or --slice with --key and tokens", nobody)
	}
	var input *service.InputError
	if errors.As(err, &input) {
		return cli.Input(err)
	}
	return err
}
