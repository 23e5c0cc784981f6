package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/scope"
)

// key is one setting.
type key struct {
	section, name string
	text          string // what it means, for people
	preset        string // what it is where nobody says
	set           func(*Settings, string) error
}

// table is the settings of a file.
type table struct {
	keys   []key
	strict bool // others are errors; a file that belongs to another program has some
}

func (t table) find(section, name string) (key, bool) {
	i := slices.IndexFunc(t.keys, func(k key) bool { return k.section == section && k.name == name })
	if i < 0 {
		return key{}, false
	}
	return t.keys[i], true
}

// unknown says that something is no setting of a section, or that there is no such section.
func (t table) unknown(section string) string {
	var sections []string
	for _, k := range t.keys {
		if s := "[" + k.section + "]"; !slices.Contains(sections, s) {
			sections = append(sections, s)
		}
	}
	section = strings.Trim(strconv.Quote("["+section+"]"), `"`) // it may tell a terminal something
	reason := "is no setting of " + section
	if !slices.Contains(sections, section) {
		reason += "; sections are " + strings.Join(sections, ", ")
	}
	return reason
}

// moduleSection has the switches of modules.
const moduleSection = "modules"

// known are the guest's own settings, in the order in which they are shown.
var known = table{strict: true, keys: slices.Concat([]key{
	{"guest", "source", "where the VM learns who it is: auto, metadata, config-drive, or the path of a file; paths count from --root", "auto", source},
	{"guest", "metadata", "the address of the metadata service", "http://169.254.169.254", text(func(s *Settings) *string { return &s.Metadata })},
	{"guest", "address", "what is published as the VM's own: auto, public, private, interface NAME, an address, or none", "auto", (*Settings).SetAddress},
	{"guest", "domain", "names of other VMs may have a dot within this domain; empty: that of the VM's own name", "", text(func(s *Settings) *string { return &s.Domain })},
	{"guest", "ssh-key", "the SSH key pair that is made where root has none: ed25519 or rsa", "ed25519", keyKind},
	{"guest", "loopback", "what the VM's own name answers with in /etc/hosts: an address, or off", guest.DefaultLoopback.String(), loopback},
	{"guest", "every", "how often the machine is looked at, and heads are asked that do not tell of changes", "10s", duration(func(s *Settings) *time.Duration { return &s.Every })},
	{"guest", "settled", "how often such heads are asked once all have reported", "1m", duration(func(s *Settings) *time.Duration { return &s.Settled })},
	{"guest", "status-file", "where it is written how things are", "/run/comet-guest/status.json", file(func(s *Settings) *string { return &s.StatusFile })},
	{"guest", "metrics-listen", "a loopback address with a port, where metrics are served", "", listen},
	{"guest", "metrics-file", "where metrics are written, for a node exporter's textfile collector", "", file(func(s *Settings) *string { return &s.MetricsFile })},
	{"guest", "log-level", "debug, info, warn or error", "info", oneOf(func(s *Settings) *string { return &s.LogLevel }, "debug", "info", "warn", "error")},
	{"trust", "cacert", "the CA that heads are verified with; empty: that of the user data, else /etc/comet/ca.pem", "", file(func(s *Settings) *string { return &s.CACert })},
	{"trust", "server-name", "names that heads may bear, such as *.exogeni.net, separated by commas; empty: those of the user data", "", list(func(s *Settings) *[]string { return &s.ServerName })},
	{"trust", "any-server-name", "heads may bear any name under the CA", "no", yes(func(s *Settings) *bool { return &s.AnyName })},
	{"trust", "insecure", "heads are not verified: whoever is in between is root on this VM", "no", yes(func(s *Settings) *bool { return &s.Insecure })},
	{"interfaces", "ignore", "hardware addresses of interfaces that are left alone, separated by commas", "", macs},
	{"scripts", "limit", "after how long a script is ended", "1h", duration(func(s *Settings) *time.Duration { return &s.ScriptLimit })},
	{"scripts", "again", "a script that a crash has cut short is run again", "no", yes(func(s *Settings) *bool { return &s.ScriptAgain })},
	{"scripts", "old-state", "where neuca-guest-tools keep what they have done", "/var/lib/neuca", file(func(s *Settings) *string { return &s.OldState })},
}, modules())}

// old are those settings of neuca-guest-tools that mean something here.
var old = table{keys: []key{
	{section: "runtime", name: "set-loopback-hostname", set: func(s *Settings, v string) error {
		on, err := yesOrNo(v)
		s.NoLoopback = err == nil && !on
		return err
	}},
	{section: "runtime", name: "loopback-address", set: func(s *Settings, v string) (err error) {
		if v != "" {
			s.Loopback, err = address(v)
		}
		return err
	}},
	{section: "runtime", name: "dataplane-macs-to-ignore", set: macs},
	{section: "runtime", name: "state-directory", set: file(func(s *Settings) *string { return &s.OldState })},
	{section: "logging", name: "log-level", set: func(s *Settings, v string) error {
		switch v = strings.ToLower(v); v {
		case "warning", "critical":
			v = "warn"
		}
		if slices.Contains([]string{"debug", "info", "warn", "error"}, v) {
			s.LogLevel = v
		}
		return nil
	}},
}}

// lists are the settings that may go on in the next line, behind a comma.
var lists = []string{"server-name", "ignore", "dataplane-macs-to-ignore"}

// stands is for which of the own settings those of the older tools stand.
var stands = map[string]string{
	"runtime.set-loopback-hostname": "guest.loopback", "runtime.loopback-address": "guest.loopback", "runtime.dataplane-macs-to-ignore": "interfaces.ignore",
	"runtime.state-directory": "scripts.old-state", "logging.log-level": "guest.log-level",
}

// modules are the switches.
func modules() (keys []key) {
	for _, name := range guest.ModuleNames() {
		keys = append(keys, key{section: moduleSection, name: name, set: func(s *Settings, v string) error {
			mode, err := guest.ParseMode(v)
			if err == nil {
				s.Modules[name] = mode
			}
			return err
		}})
	}
	return keys
}

// Defaults returns the settings of a machine where nobody has decided anything.
func Defaults() Settings {
	s := Settings{Modules: map[string]guest.Mode{}}
	for _, k := range known.keys {
		if k.preset != "" {
			_ = k.set(&s, k.preset) // which a test has tried
		}
	}
	return s
}

func text(at func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error { *at(s) = v; return nil }
}

func oneOf(at func(*Settings) *string, words ...string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if !slices.Contains(words, v) {
			return errors.New("is none of " + strings.Join(words, ", "))
		}
		*at(s) = v
		return nil
	}
}

func file(at func(*Settings) *string) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		if v != "" && !path.IsAbs(v) {
			return errors.New("is not an absolute path")
		}
		*at(s) = v
		return nil
	}
}

func source(s *Settings, v string) error {
	if !path.IsAbs(v) && !slices.Contains([]string{"auto", "metadata", "config-drive"}, v) {
		return errors.New("is none of auto, metadata, config-drive, and not an absolute path")
	}
	s.Source = v
	return nil
}

// SetAddress sets which address is published; see identity.ParseAddress.
func (s *Settings) SetAddress(v string) error {
	if v != "none" {
		if _, err := identity.ParseAddress(v); err != nil {
			return err
		}
	}
	s.Address = v
	return nil
}

func duration(at func(*Settings) *time.Duration) func(*Settings, string) error {
	return func(s *Settings, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return errors.New("is not a time such as 10s or 5m")
		}
		*at(s) = d
		return nil
	}
}

func list(at func(*Settings) *[]string) func(*Settings, string) error {
	return func(s *Settings, v string) error { *at(s) = split(v); return nil }
}

func split(v string) (items []string) {
	for item := range strings.SplitSeq(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func macs(s *Settings, v string) error {
	s.IgnoreMACs = nil
	for _, mac := range split(v) {
		canonical := scope.CanonicalMAC(mac)
		if len(canonical) != 12 || strings.Trim(canonical, "0123456789abcdef") != "" {
			return fmt.Errorf("%q is no hardware address", mac)
		}
		s.IgnoreMACs = append(s.IgnoreMACs, canonical)
	}
	return nil
}

func yes(at func(*Settings) *bool) func(*Settings, string) error {
	return func(s *Settings, v string) (err error) { *at(s), err = yesOrNo(v); return err }
}

func yesOrNo(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0", "":
		return false, nil
	}
	return false, errors.New("is neither yes nor no")
}

func keyKind(s *Settings, v string) error {
	if kind := guest.KeyKind(v); kind == guest.Ed25519 || kind == guest.RSA {
		s.KeyKind = kind
		return nil
	}
	return errors.New("is neither ed25519 nor rsa")
}

func loopback(s *Settings, v string) (err error) {
	if s.NoLoopback = strings.EqualFold(v, "off"); s.NoLoopback {
		return nil
	}
	s.Loopback, err = address(v)
	return err
}

func address(v string) (netip.Addr, error) {
	a, err := netip.ParseAddr(v)
	if err != nil || !a.IsLoopback() {
		return a, errors.New("is no loopback address such as 127.255.255.1")
	}
	return a, nil
}

func listen(s *Settings, v string) error {
	if v != "" {
		host, _, err := net.SplitHostPort(v)
		if a, bad := netip.ParseAddr(host); err != nil || host != "localhost" && (bad != nil || !a.IsLoopback()) {
			return errors.New("is no loopback address with a port, such as 127.0.0.1:9160")
		}
	}
	s.MetricsListen = v
	return nil
}
