// Package settings reads what a site or a user has decided about the guest of a VM: which modules work, where it learns who it is, what
// it publishes. An ini file says so; all of it has defaults that are right for a VM made by ORCA. The settings of neuca-guest-tools are
// understood as far as they mean something here.
//
// What the settings mean is done elsewhere; who the VM is does not come from here.
package settings

import (
	"maps"
	"net/netip"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest"
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
	r := newReader()
	err := r.load(root, path)
	return r.Settings, err
}

// Parse reads settings over the defaults. A key that is not known, or a value that makes no sense, is an *orca.LineError.
func Parse(data []byte) (Settings, error) {
	r := newReader()
	err := r.set(data, "", known)
	return r.Settings, err
}

// ModesFor returns the switch of every module. chameleon: see guest.DefaultModes.
func (s Settings) ModesFor(chameleon bool) map[string]guest.Mode {
	modes := guest.DefaultModes(chameleon)
	maps.Copy(modes, s.Modules)
	return modes
}
