// Package settings reads what a site or a user has decided about the guest of a VM: which modules work, where it learns who it is, what
// it publishes. An ini file says so; all of it has defaults that are right for a VM made by ORCA. The settings of neuca-guest-tools are
// understood as far as they mean something here.
//
// What the settings mean is done elsewhere; who the VM is does not come from here.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Where the settings lie on a VM: the guest's own, and, where these say nothing, those that cloud-init has brought with the user data,
// and those of neuca-guest-tools.
const (
	File      = "/etc/comet/guest.conf"
	CloudFile = orca.GuestSettings
	OldFile   = "/etc/neuca/config"
)

// Settings are what a site or a user has decided. The zero value is not of use; Defaults is.
type Settings struct {
	Source   string // where the VM learns who it is: auto, metadata, config-drive, or the path of a file
	Metadata string // the address of the metadata service
	Address  string // what is published as the VM's own: auto, public, private, interface NAME, an address, or none

	CACert     string   // a file; empty: the user data's, else /etc/comet/ca.pem
	ServerName []string // names that heads may bear beside the host in their URL; empty: the user data's
	AnyName    bool     // heads may bear any name under the CA
	Insecure   bool     // heads are not verified and may be http://

	Every   time.Duration // between looks at the machine, and questions to heads that do not tell of changes
	Settled time.Duration // between such questions once all have reported
	Domain  string        // peers' names may have a dot within it; empty: that of the VM's own name
	KeyKind guest.KeyKind // of the SSH key pair that is made where root has none

	Loopback   netip.Addr // what the VM's own name answers with in /etc/hosts
	NoLoopback bool

	IgnoreMACs  []string      // network interfaces that are left alone; 12 hex digits, in any form
	OldState    string        // where neuca-guest-tools keep their state
	ScriptLimit time.Duration // after which a script is ended
	ScriptAgain bool          // a script that a crash has cut short is run again

	StatusFile    string // where a guest that runs writes how things are
	MetricsListen string // a loopback address with a port, where metrics are served; empty: nowhere
	MetricsFile   string // where metrics are written, for a node exporter; empty: nowhere
	LogLevel      string

	Only    []string              // these modules alone are looked at; all where there are none. No file says so
	Modules map[string]guest.Mode // those that were switched; the others are as guest.DefaultModes says
}

// Load reads the settings of a machine whose files lie below root: OldFile, CloudFile, and path, or File where it is empty; what comes
// later counts. A file that is not there says nothing, unless path names it.
func Load(root, path string) (Settings, error) {
	s := Defaults()
	for _, f := range []struct {
		file string
		keys table
	}{{OldFile, old}, {CloudFile, known}} {
		if err := s.readBelow(root, f.file, f.keys); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
	}
	if path != "" {
		data, err := os.ReadFile(path)
		return s, s.take(data, err, path, known)
	}
	if err := s.readBelow(root, File, known); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	return s, nil
}

// readBelow reads a file below root, out of which no link leads; an absolute one counts from there.
func (s *Settings) readBelow(root, file string, keys table) error {
	r, err := os.OpenRoot(cmp.Or(root, "/"))
	if err != nil {
		return fmt.Errorf("root folder: %w", err)
	}
	defer r.Close()
	data, err := atomicfile.Read(r, strings.TrimPrefix(file, "/"), atomicfile.ReplaceOptions{})
	return s.take(data, err, file, keys)
}

// take takes what was read of a file.
func (s *Settings) take(data []byte, err error, file string, keys table) error {
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	if err := s.set(data, keys); err != nil {
		return fmt.Errorf("settings %s: %w", file, err)
	}
	return nil
}

// Parse reads settings over the defaults. A key that is not known, or a value that makes no sense, is an *orca.LineError.
func Parse(data []byte) (Settings, error) {
	s := Defaults()
	return s, s.set(data, known)
}

func (s *Settings) set(data []byte, keys table) error {
	file, err := orca.ParseINI(data)
	if err != nil {
		return err
	}
	for _, section := range file.Sections() {
		for _, kv := range file.Section(section) {
			k, ok := keys.find(section, kv.Key)
			if !ok && keys.strict {
				return &orca.LineError{Line: kv.Line, Field: kv.Key, Reason: "is no setting of [" + section + "]"}
			}
			if !ok {
				continue
			}
			if err := k.set(s, strings.TrimSpace(kv.Value.Reveal())); err != nil {
				return &orca.LineError{Line: kv.Line, Field: kv.Key, Reason: err.Error()}
			}
		}
	}
	return nil
}

// ModesFor returns the switch of every module. chameleon: see guest.DefaultModes.
func (s Settings) ModesFor(chameleon bool) map[string]guest.Mode {
	modes := guest.DefaultModes(chameleon)
	maps.Copy(modes, s.Modules)
	return modes
}
