package peers

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
)

// KnownHostsBlock is where the other VMs' SSH host keys stand, in the file that ssh reads for all users.
var KnownHostsBlock = frame.Block{File: "etc/ssh/ssh_known_hosts", Name: "comet host keys", Mode: 0o644}

// KnownHosts is the module that keeps the other VMs' SSH host keys in ssh's list of known hosts: each under the name that its VM has in
// the hosts file, so that nobody has to be asked whether to trust it, and under nothing else.
type KnownHosts struct{ *Directory }

// Name is "known-hosts".
func (KnownHosts) Name() string { return "known-hosts" }

const maxHostKeys = 8

// Plan makes the block hold the host keys of the VMs whose name is accepted, sorted. In doubt it loses nothing.
func (k KnownHosts) Plan(context.Context) (frame.Plan, error) {
	files := []string{KnownHostsBlock.File, HostsBlock.File, k.machine.State(namesState), heldFile}
	return k.knownHosts.Get(k.machine, turns(k.contexts), files, k.plan)
}

func (k KnownHosts) plan() (p frame.Plan, err error) {
	l, err := k.list()
	if err != nil {
		return p, err
	}
	have, err := k.machine.BlockLines(KnownHostsBlock)
	if err != nil {
		return p, err
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(l.accepted)) {
		c := l.accepted[name]
		if !c.address.IsValid() {
			continue // what else answers to the name is somebody else
		}
		for _, key := range hostKeys(name, c, &p.Notes) {
			lines = append(lines, name+" "+key)
		}
	}
	whose, err := holds(k.machine, KnownHostsBlock, k.groups())
	if err != nil {
		return p, err
	}
	return p, whose.plan(&p, filling{lines, have, k.staying(have, l), l.sure, l.believed})
}

// staying returns the lines that stand there and that nobody contradicts.
func (k KnownHosts) staying(have []string, l listing) (stay []string) {
	for _, line := range have {
		name, key, _ := strings.Cut(line, " ")
		canonical, err := sshkey.Canonical(key)
		if err == nil && canonical == key && l.accepted[name].hostKeys == "" && k.peersName(name) {
			stay = append(stay, line)
		}
	}
	return stay
}

// hostKeys returns a peer's host keys in canonical form.
func hostKeys(name string, c claim, notes *[]frame.Note) (keys []string) {
	if c.hostKeys == "" {
		return nil
	}
	for i, text := range strings.Split(c.hostKeys, ",") {
		line, err := sshkey.Canonical(text)
		if err != nil || i >= maxHostKeys {
			why := "has more host keys than a VM has"
			if err != nil {
				why = "sshHostKeys: " + err.Error()
			}
			*notes = append(*notes, frame.Note{Kind: frame.LeftOut, About: "peer " + frame.OneLine(c.who), Why: name + " " + frame.OneLine(why)})
			if i >= maxHostKeys {
				break
			}
			continue
		}
		keys = append(keys, sshkey.WithoutComment(line))
	}
	return keys
}
