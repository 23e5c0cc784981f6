package interfaces

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// Module keeps the interfaces as they are wanted. It is a frame.Module; Watch may run beside it.
type Module struct {
	machine *frame.Machine
	wanted  frame.Source[scope.Interface]
	ignored map[string]bool
	heads   network.Heads
	guard   *network.Guard

	mu   sync.Mutex
	macs map[string]bool // whose coming and going asks for a pass
}

// New returns the module. Interfaces whose hardware address is among ignore are left alone whatever is wanted.
func New(m *frame.Machine, wanted frame.Source[scope.Interface], ignore []string, h network.Heads) *Module {
	module := &Module{machine: m, wanted: wanted, ignored: map[string]bool{}, heads: h, guard: network.NewGuard(m, "interfaces", h)}
	for _, mac := range ignore {
		module.ignored[scope.CanonicalMAC(mac)] = true
	}
	return module
}

// Name is interfaces.
func (m *Module) Name() string { return "interfaces" }

// Plan looks at the kernel and compares.
func (m *Module) Plan(context.Context) (frame.Plan, error) {
	if err := m.machine.Needs(); err != nil {
		return frame.Plan{}, err
	}
	if steps, err := m.guard.Resume(); err != nil || len(steps) > 0 {
		return frame.Plan{Steps: steps, More: true}, err
	}
	wanted, err := m.wanted()
	if err != nil {
		return frame.Plan{}, err
	}
	orders, notes := m.orders(wanted.Elements)
	m.watched(orders)
	l, err := m.look()
	if err != nil {
		return frame.Plan{}, err
	}
	l.whole = wanted.Whole && !slices.ContainsFunc(notes, func(n frame.Note) bool { return n.Kind == frame.LeftOut })
	l.plan.Notes = append(slices.Clone(wanted.Notes), notes...)
	var asked []string
	for _, o := range orders {
		asked = append(asked, o.String())
		l.keep(o)
	}
	l.withdraw(orders)
	told, err := m.managers(l, orders)
	turn, wait := m.guard.Around(l.changes, asked, l.whole)
	l.plan.Steps = told
	l.plan.Merge(turn.Plan(l.kept))
	l.forget(orders)
	return l.plan, errors.Join(err, wait)
}

// looking is one look at the machine, and what follows from it.
type looking struct {
	module     *Module
	now        *network.State
	ledger     ledger
	heads      []netip.Addr
	management map[int]string
	whole      bool     // all is known that is wanted
	told       []string // the macs that programs of the distribution have to leave alone

	plan    frame.Plan
	changes []network.Change // of links and addresses
	kept    []string         // what is asked for and there, or will be
}

func (m *Module) look() (*looking, error) {
	now, err := network.Look()
	if err != nil {
		return nil, err
	}
	l := &looking{module: m, now: now, heads: m.heads.Known()}
	if l.ledger, err = m.load(); err != nil {
		return nil, err
	}
	own := map[int]bool{}
	for mac := range l.ledger.Ours {
		if link, _, err := now.Find(mac); err == nil {
			own[link.Attrs().Index] = true
		}
	}
	l.management = now.Management(l.heads, func(index int) bool { return own[index] })
	l.remember()
	return l, nil
}

// remember protects what carried the machine's contact before, as long as nothing does: at boot, before there is a default route.
func (l *looking) remember() {
	if len(l.management) > 0 {
		l.ledger.Management = nil
		for index := range l.management {
			l.ledger.Management = append(l.ledger.Management, scope.CanonicalMAC(l.now.Link(index).Attrs().HardwareAddr.String()))
		}
		slices.Sort(l.ledger.Management)
		return
	}
	for _, mac := range l.ledger.Management {
		if link, _, err := l.now.Find(mac); err == nil {
			l.management[link.Attrs().Index] = "carried the default route before"
		}
	}
}

// note says something about an interface.
func (l *looking) note(kind frame.NoteKind, mac, format string, args ...any) {
	l.plan.Notes = append(l.plan.Notes, frame.Note{Kind: kind, About: network.Colons(mac), Why: fmt.Sprintf(format, args...)})
}

// keep plans what an order asks for.
func (l *looking) keep(o order) {
	link, note, err := l.now.Find(o.mac)
	switch {
	case o.state == user:
		return
	case errors.Is(err, network.ErrNoLink):
		l.note(frame.Waiting, o.mac, "%s", err)
		l.told = append(l.told, o.mac)
		return
	case err != nil:
		l.note(frame.Warning, o.mac, "%s: none is touched", err)
		return
	}
	index, name := link.Attrs().Index, network.Name(link)
	if why := l.management[index]; why != "" {
		l.note(frame.Warning, o.mac, "is the management interface %s (it %s), and is left alone", name, why)
		return
	}
	if master := l.now.Link(link.Attrs().MasterIndex); master != nil && master.Type() != "vrf" {
		l.note(frame.Warning, o.mac, "is %s, a part of %s, and is left alone", name, network.Name(master))
		return
	}
	if note != "" {
		l.note(frame.Warning, o.mac, "%s", note)
	}
	l.told = append(l.told, o.mac)
	l.kept = append(l.kept, o.String())
	p := placeOf(link, o.mac, o.String())
	if on := o.state == up; network.Up(link) != on {
		l.change(p, "set "+p.text+" "+o.state, func(context.Context) error { return network.SetUp(index, on) })
	}
	if o.state == up {
		l.addresses(p, o.addresses)
	}
}
