package guest

import (
	"context"
	"maps"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/hostname"
	"github.com/renci-nrig/comet-go/comet/guest/internal/peers"
	"github.com/renci-nrig/comet-go/comet/guest/internal/scripts"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Mode switches a module: On, Off, or Observe, in which it says what it would do and does nothing.
type Mode = frame.Mode

const (
	On      = frame.On
	Off     = frame.Off
	Observe = frame.Observe
)

// ParseMode reads a mode: on, off or observe.
func ParseMode(text string) (Mode, error) { return frame.ParseMode(text) }

// KeyKind is a kind of SSH key pair.
type KeyKind = sshkey.Kind

const (
	Ed25519 = sshkey.Ed25519
	RSA     = sshkey.RSA
)

// ScriptSettings say how scripts are run.
type ScriptSettings = scripts.Settings

// DefaultLoopback is the address that the VM's own name answers with in /etc/hosts: 127.255.255.1.
var DefaultLoopback = hostname.DefaultLoopback

// exchange are the modules that keep VMs in touch with each other; they are all that is on by default where the user created the slice.
var exchange = []string{"publish", "hosts", "pubkeys", "known-hosts"}

// DefaultModes returns the modules in their order with their default switches. chameleon: the VM was told who it is by OpenStack metadata,
// and its user created the slice.
func DefaultModes(chameleon bool) map[string]Mode {
	modes := map[string]Mode{}
	for _, name := range ModuleNames() {
		modes[name] = On
		if name == "metadata-guard" { // others than root may have their reasons to ask
			modes[name] = Off
		}
		if chameleon && !slices.Contains(exchange, name) {
			modes[name] = Off
		}
	}
	return modes
}

// ORCAOnly returns the modules that are off by default where the user created the slice, and on elsewhere.
func ORCAOnly() []string {
	orca, user := DefaultModes(false), DefaultModes(true)
	return slices.DeleteFunc(ModuleNames(), func(name string) bool { return orca[name] == user[name] })
}

// ModuleNames returns the names of all modules in the order in which they work. Storage, which may wait for portals, keeps none of the
// others waiting but scripts, and those only until it has been tried once.
func ModuleNames() []string {
	return []string{"metadata-guard", "hostname", "interfaces", "router", "routes", "users", "publish", "hosts", "pubkeys", "known-hosts", "storage", "scripts"}
}

// addModules puts the modules in their order.
func (g *Guest) addModules() {
	loopback := g.Loopback
	if !loopback.IsValid() && !g.NoLoopback {
		loopback = DefaultLoopback
	}
	kind := g.KeyKind
	if kind == "" {
		kind = Ed25519
	}
	g.modes = DefaultModes(false)
	maps.Copy(g.modes, g.Modules)
	modules := map[string]frame.Module{}
	for _, m := range append(g.machineModules(),
		&hostname.HostName{Machine: g.machine, Wanted: g.self.HostName, Loopback: loopback},
		&peers.Publish{Machine: g.machine, Contexts: g.contexts, Address: g.Address, KeyKind: kind, HostKeys: g.modes["known-hosts"] != Off},
		peers.Hosts{Directory: g.directory},
		g.pubKeys,
		peers.KnownHosts{Directory: g.directory}) {
		modules[m.Name()] = m
	}
	if g.headless {
		for _, name := range exchange {
			modules[name] = mute{g.machine, name}
		}
	}
	for _, name := range ModuleNames() {
		if len(g.Only) == 0 || slices.Contains(g.Only, name) {
			g.runner.Add(modules[name], g.modes[name])
		}
	}
}

// mute stands for a module of the exchange where the user data has tokens and names no head to ask with them: somebody has forgotten it, and
// what is there stays.
type mute struct {
	machine *frame.Machine
	name    string
}

// Name is that of the module.
func (m mute) Name() string { return m.name }

// Plan doubts, and counts what is there.
func (m mute) Plan(context.Context) (p frame.Plan, err error) {
	p.Notes = []frame.Note{{Kind: frame.Doubted, About: "user data", Why: "it has tokens, and no comethost to ask with them; what is there stays"}}
	blocks := map[string]frame.Block{"hosts": peers.HostsBlock, "pubkeys": peers.KeysBlock, "known-hosts": peers.KnownHostsBlock}
	if b, ok := blocks[m.name]; ok {
		lines, failed := m.machine.BlockLines(b)
		p.Count, err = len(lines), failed
	}
	return p, err
}

// hasTokens reports whether user data is meant for somebody who asks heads.
func hasTokens(self orca.UserData) bool {
	return !self.ReadToken.IsZero() || !self.Slice.Tokens.Read.IsZero() || !self.Slice.Tokens.Write.IsZero()
}
