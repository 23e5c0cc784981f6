package peers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Hosts is the module that keeps the other VMs in /etc/hosts.
type Hosts struct{ *Directory }

// Name is "hosts".
func (Hosts) Name() string { return "hosts" }

// Plan makes the block hold the VMs of all groups, sorted. In doubt it loses nothing.
func (h Hosts) Plan(context.Context) (frame.Plan, error) {
	return h.hosts.Get(h.machine, turns(h.contexts), []string{HostsBlock.File, h.machine.State(namesState), heldFile}, h.plan)
}

func (h Hosts) plan() (p frame.Plan, err error) {
	l, err := h.list()
	if err != nil {
		return p, err
	}
	have, err := h.machine.BlockLines(HostsBlock)
	if err != nil {
		return p, err
	}
	whose, err := holds(h.machine, HostsBlock, h.groups())
	if err != nil {
		return p, err
	}
	p.Notes = l.notes
	if len(h.groups()) == 0 && !h.machine.Ever(namesState) {
		return p, nil // what stands there is somebody else's
	}
	if l.changed && (l.sure || len(l.lines()) > 0) { // in this order: who stands in the file has its name
		p.Steps = []frame.Step{{Text: "remember who has which host name", Own: true, Do: func(context.Context) error {
			return h.machine.Save(namesState, l.first)
		}}}
	}
	return p, whose.plan(&p, filling{l.lines(), have, h.staying(have, l), l.sure, l.believed})
}

// missing counts the lines that are not among those that are there.
func missing(lines, have []string) (n int) {
	there := map[string]bool{}
	for _, line := range have {
		there[line] = true
	}
	for _, line := range lines {
		if !there[line] {
			n++
		}
	}
	return n
}

// lines are those of the VMs whose address is known.
func (l listing) lines() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(l.accepted)) {
		if a := l.accepted[name].address; a.IsValid() {
			lines = append(lines, a.String()+"\t"+name)
		}
	}
	return lines
}

// staying returns the lines that stand there and that nobody contradicts.
func (h Hosts) staying(have []string, l listing) (stay []string) {
	for _, line := range have {
		name, address, ok := h.hostLine(line)
		if a, known := l.accepted[name]; ok && (!known || !a.address.IsValid()) {
			stay = append(stay, address.String()+"\t"+name)
		}
	}
	return stay
}

// fingerprint tells one map from another.
func fingerprint(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%q %q\n", k, m[k])
	}
	return b.String()
}
