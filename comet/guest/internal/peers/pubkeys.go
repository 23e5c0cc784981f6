package peers

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/scope"
)

// KeysBlock is where the other VMs' SSH keys stand.
var KeysBlock = frame.Block{File: "root/.ssh/authorized_keys", Name: "comet pubkeys", Mode: 0o600}

// keysState tells that the guest has kept the block before.
const keysState = "pubkeys.json"

// PubKeys is the module that keeps the other VMs' SSH keys in root's authorized_keys. One goroutine at a time may use it.
type PubKeys struct {
	machine  *frame.Machine
	contexts []*known.Context
	settled  frame.Settled

	turn  int // of the contexts when the keys were read
	now   keyring
	fresh bool
}

// keyring is the keys of the other VMs.
type keyring struct {
	lines          []string
	types          map[string]bool // type and base64 of each
	notes          []frame.Note
	sure, believed bool // as in filling
}

// NewPubKeys returns the module for the contexts' VMs.
func NewPubKeys(m *frame.Machine, contexts []*known.Context) *PubKeys {
	return &PubKeys{machine: m, contexts: contexts}
}

// Name is "pubkeys".
func (*PubKeys) Name() string { return "pubkeys" }

// Plan makes the block hold the keys of all groups, sorted. In doubt it loses nothing.
func (k *PubKeys) Plan(context.Context) (frame.Plan, error) {
	return k.settled.Get(k.machine, turns(k.contexts), []string{KeysBlock.File, k.machine.State(keysState), heldFile}, k.plan)
}

func (k *PubKeys) plan() (p frame.Plan, err error) {
	ring := k.read()
	have, err := k.machine.BlockLines(KeysBlock)
	if err != nil {
		return p, err
	}
	h, err := holds(k.machine, KeysBlock, k.groups())
	if err != nil {
		return p, err
	}
	p.Notes = ring.notes
	kept := false
	if _, err := k.machine.Load(keysState, &kept); err != nil || len(k.groups()) == 0 && !k.machine.Ever(keysState) {
		return p, err // what stands there is somebody else's
	}
	if !kept && len(ring.lines) > 0 { // in this order: what stands in the file is known to be the guest's
		p.Steps = []frame.Step{{Text: "remember that the block of keys is the guest's", Own: true, Do: func(context.Context) error {
			return k.machine.Save(keysState, true)
		}}}
	}
	return p, h.plan(&p, filling{ring.lines, have, ring.staying(have), ring.sure, ring.believed})
}

// Lines returns the keys of the other VMs that are known, one in each line.
func (k *PubKeys) Lines() []string { return k.read().lines }

func (k *PubKeys) groups() []group {
	return groups(k.contexts, scope.PubKeysOf, func(c *known.Context) []string { return c.Self().Slice.PubKeysRead })
}

// read returns the keys that are known now.
func (k *PubKeys) read() keyring {
	turn := turns(k.contexts)
	if !k.fresh || turn != k.turn {
		k.now, k.turn, k.fresh = k.make(), turn, true
	}
	return k.now
}

func (k *PubKeys) make() keyring {
	r := keyring{types: map[string]bool{}}
	lines := map[string]bool{}
	r.sure, r.believed = answers(k.groups(), &r.notes, func(g group, p known.Peer) {
		each(p, g.family, &r.notes, func(e scope.PubKey) error {
			if e.ElementKey() == "" {
				return nil // not filled in yet
			}
			line, err := sshkey.Canonical(e.PublicKey)
			if err == nil {
				lines[line], r.types[sshkey.WithoutComment(line)] = true, true
			}
			return err
		})
	})
	r.lines = slices.Sorted(maps.Keys(lines))
	return r
}

// staying returns the keys that stand there and are not among those that are known.
func (r keyring) staying(have []string) (stay []string) {
	for _, line := range have {
		if plain, err := sshkey.Canonical(line); err == nil && !r.types[sshkey.WithoutComment(plain)] && !strings.ContainsAny(line, "\r\x00") {
			stay = append(stay, line)
		}
	}
	return stay
}
