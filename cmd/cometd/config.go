package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

const flagConfig = "config"

// takeFile sets the flags that neither the command line nor the environment set from the file of --config, and returns which.
func takeFile(c *urfave.Context) (taken []string, err error) {
	path := cli.Given(c, flagConfig)
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.Input(err)
	}
	var found map[string]any
	if err := yaml.UnmarshalStrict(text, &found); err != nil {
		return nil, cli.Usage("write one such as \"listen: 127.0.0.1:8111\" a line", "%s is not YAML or JSON with settings: %s", path, cli.OneLine(err))
	}
	for _, key := range sortedKeys(found) {
		if !hasFlag(c, key) || key == flagConfig {
			return nil, cli.Usage("see cometd serve --help for their names", "%s: there is no setting %q", path, key)
		}
		if c.IsSet(key) {
			continue
		}
		values, wrong := valuesOf(found[key], repeats(c, key))
		if wrong != "" {
			return nil, cli.Usage("see cometd serve --help for what it takes", "%s: %s cannot be %s", path, key, wrong)
		}
		for _, value := range values {
			if err := c.Set(key, value); err != nil {
				return nil, cli.Usage("see cometd serve --help for what it takes", "%s: %s cannot be %q", path, key, value)
			}
		}
		taken = append(taken, key)
	}
	return taken, nil
}

func sortedKeys(m map[string]any) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func hasFlag(c *urfave.Context, name string) bool { return flagOf(c, name) != nil }

// repeats tells whether a flag may be given many times.
func repeats(c *urfave.Context, name string) bool {
	_, list := flagOf(c, name).(*urfave.StringSliceFlag)
	return list
}

func flagOf(c *urfave.Context, name string) urfave.Flag {
	i := slices.IndexFunc(c.Command.Flags, func(f urfave.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return c.Command.Flags[i]
}

// valuesOf are the values as the command line would have them, or what is wrong with them: only a flag that repeats takes a list.
func valuesOf(v any, repeats bool) (values []string, wrong string) {
	switch v := v.(type) {
	case []any:
		if !repeats {
			return nil, "a list"
		}
		for _, one := range v {
			value, wrong := valuesOf(one, false)
			if wrong != "" {
				return nil, wrong + " in a list"
			}
			values = append(values, value...)
		}
	case map[string]any:
		return nil, "an object"
	case float64: // all numbers of JSON; not rounded, so that flags of whole numbers refuse others
		values = []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case nil:
	default:
		values = []string{fmt.Sprint(v)}
	}
	return values, ""
}

func configCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "config",
		Usage: "look at the settings of a head",
		Subcommands: []*urfave.Command{{
			Name:  "check",
			Usage: "check settings as serve would read them",
			Description: "Takes the same flags, environment and file as serve, reads the files that they name, prints what a head would run\n" +
				"with, and changes nothing. It does not ask etcd, nor open the store, which a running head has.",
			Action: checkConfig,
			Flags:  serveFlags(),
		}},
	}
}

func checkConfig(c *urfave.Context) error {
	s, err := readSettings(c)
	if err != nil {
		return err
	}
	if _, err := cli.Logger(c); err != nil {
		return err
	}
	trust, err := s.checkFiles(c)
	if err != nil {
		return err
	}
	t := cli.Table{Header: []string{"SETTING", "VALUE", "FROM"}}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if name == "help" {
			continue
		}
		t.Rows = append(t.Rows, []string{name, fmt.Sprint(shownValue(c, name)), s.source(c, name)})
	}
	if err := t.Write(c.App.Writer); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "the settings are good; %s\n", trust)
	return err
}

func shownValue(c *urfave.Context, name string) any {
	if list, ok := c.Value(name).(urfave.StringSlice); ok {
		return strings.Join(list.Value(), " ")
	}
	return c.Value(name)
}

// source is where a setting comes from.
func (s settings) source(c *urfave.Context, name string) string {
	switch {
	case slices.Contains(s.fromFile, name):
		return "file"
	case c.IsSet(name):
		return "flag or environment"
	}
	return "default"
}

// checkFiles does with the folder of --data and the certificates what serve does, but for making them.
func (s settings) checkFiles(c *urfave.Context) (told string, err error) {
	_, own, err := ownFiles(c)
	if err != nil {
		return "", err
	}
	if !own || s.store.url == "" {
		if err := s.checkFolder(); err != nil {
			return "", err
		}
	}
	if dir := s.certificatesDir(); !own && willBeMade(dir) {
		told = "certificates will be made in " + dir
	} else {
		certs, err := openCertificates(c, s, slog.New(slog.DiscardHandler))
		if err != nil {
			return "", err
		}
		if err := certs.live.Close(); err != nil {
			return "", err
		}
		told = "the certificates can be used"
	}
	if s.store.files.CA != "" {
		if err := openBriefly(s.store.files); err != nil {
			return "", err
		}
	}
	return told, nil
}

// checkFolder changes nothing: where something is, making a folder does nothing or fails.
func (s settings) checkFolder() error {
	if _, err := os.Lstat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return makeFolder(s.dir)
}

// willBeMade tells of a folder of certificates that serve fills. In all others it looks for them.
func willBeMade(dir string) bool {
	files, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(files) == 0
}

func openBriefly(files tlsconfig.Files) error {
	live, err := tlsconfig.Open(files, tlsconfig.Names{}, tlsconfig.WithInterval(0))
	if err != nil {
		return cli.Input(err)
	}
	return live.Close()
}
