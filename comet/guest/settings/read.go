package settings

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Setting is one setting as it counts.
type Setting struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Value   string `json:"value"`
	From    string `json:"from,omitempty"` // the file that says so; empty: it is the default
}

// List returns all settings that Load would return, in the order in which Example explains them.
func List(root, path string) (all []Setting, err error) {
	r := newReader()
	if err := r.load(root, path); err != nil {
		return nil, err
	}
	for _, k := range known.keys {
		preset := Setting{Section: k.section, Name: k.name, Value: k.preset}
		if k.section == moduleSection {
			preset.Value = presetMode(k.name)
		}
		all = append(all, cmp.Or(r.said[k.section+"."+k.name], preset))
	}
	return all, nil
}

// presetMode is the switch of a module that nobody has switched.
func presetMode(name string) string {
	mode := string(guest.DefaultModes(false)[name])
	if slices.Contains(guest.ORCAOnly(), name) {
		mode += "; off with OpenStack's metadata, or --slice"
	}
	return mode
}

// reader reads settings and notes which file says what.
type reader struct {
	Settings
	said map[string]Setting // by section and name
}

func newReader() *reader { return &reader{Defaults(), map[string]Setting{}} }

func (r *reader) load(root, path string) error {
	for _, f := range []struct {
		file string
		keys table
	}{{OldFile, old}, {CloudFile, known}} {
		if err := r.readBelow(root, f.file, f.keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if path != "" {
		data, err := os.ReadFile(path)
		return r.take(data, err, path, known)
	}
	if err := r.readBelow(root, File, known); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readBelow reads a file below root, out of which no link leads; an absolute one counts from there.
func (r *reader) readBelow(root, file string, keys table) error {
	at, err := os.OpenRoot(cmp.Or(root, "/"))
	if err != nil {
		return fmt.Errorf("root folder: %w", err)
	}
	defer at.Close()
	data, err := atomicfile.Read(at, strings.TrimPrefix(file, "/"), atomicfile.ReplaceOptions{})
	return r.take(data, err, file, keys)
}

// take takes what was read of a file.
func (r *reader) take(data []byte, err error, file string, keys table) error {
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := r.set(data, file, keys); err != nil {
		return fmt.Errorf("settings %s: %w", file, err)
	}
	return nil
}

func (r *reader) set(data []byte, file string, keys table) error {
	ini, err := orca.ParseINI(data)
	if err == nil && keys.strict {
		err = ini.Twice()
	}
	if err != nil {
		return err
	}
	for _, section := range ini.Sections() {
		for _, kv := range ini.Section(section) {
			k, ok := keys.find(section, kv.Key)
			if !ok && keys.strict {
				return &orca.LineError{Line: kv.Line, Field: kv.Key, Reason: keys.unknown(section)}
			}
			if !ok {
				continue
			}
			value, err := k.oneLine(strings.TrimSpace(kv.Value.Reveal()))
			if err == nil {
				err = k.set(&r.Settings, value)
			}
			if err != nil {
				return &orca.LineError{Line: kv.Line, Field: kv.Key, Reason: err.Error()}
			}
			r.note(k, value, file)
		}
	}
	return nil
}

// goesOn is where a list goes on in the next line.
var goesOn = regexp.MustCompile(`,[ \t\r]*\n\s*`)

// oneLine joins the lines of a list. Others go on because the next line is indented, as ini files have it, which nothing here is meant to.
func (k key) oneLine(value string) (string, error) {
	if slices.Contains(lists, k.name) {
		value = goesOn.ReplaceAllString(value, ", ")
	}
	if strings.ContainsAny(value, "\r\n") {
		return "", errors.New("has more than one line; is the next one indented by mistake?")
	}
	return value, nil
}

// note notes that a file has said something. What older tools say is shown as what it means here.
func (r *reader) note(k key, value, file string) {
	name := k.section + "." + k.name
	name = cmp.Or(stands[name], name)
	switch {
	case name == "guest.log-level":
		value = r.LogLevel
	case name == "guest.loopback" && r.NoLoopback:
		value = "off"
	case name == "guest.loopback":
		value = r.Loopback.String()
	}
	section, own, _ := strings.Cut(name, ".")
	r.said[name] = Setting{section, own, value, file}
}
