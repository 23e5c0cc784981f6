package routes

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// Protocol marks the guest's routes: 67, the letter C, as "ip route show proto 67" takes it. Nobody has it in rtnetlink(7) or in
// iproute2's rt_protos.
const Protocol netlink.RouteProtocol = 'C'

// Module keeps the routes as they are wanted. It is a frame.Module.
type Module struct {
	machine *frame.Machine
	wanted  frame.Source[scope.Route]
	heads   network.Heads
	guard   *network.Guard
}

// New returns the module.
func New(m *frame.Machine, wanted frame.Source[scope.Route], h network.Heads) *Module {
	return &Module{machine: m, wanted: wanted, heads: h, guard: network.NewGuard(m, "routes", h)}
}

// Name is routes.
func (m *Module) Name() string { return "routes" }

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
	orders, notes := ordersOf(wanted.Elements)
	whole := wanted.Whole && !slices.ContainsFunc(notes, func(n frame.Note) bool { return n.Kind == frame.LeftOut })
	now, err := network.Look()
	if err != nil {
		return frame.Plan{}, err
	}
	l := newLooking(now, m.heads.Known())
	l.plan.Notes = append(slices.Clone(wanted.Notes), notes...)
	var asked []string
	for _, o := range orders {
		asked = append(asked, o.String())
		l.keep(o)
	}
	l.withdraw(orders, whole)
	turn, err := m.guard.Around(l.changes, asked, whole)
	l.plan.Merge(turn.Plan(l.kept))
	return l.plan, err
}

// looking is one look at the machine, and what follows from it.
type looking struct {
	now        *network.State
	heads      []netip.Addr
	management map[int]string
	routes     map[netip.Prefix][]netlink.Route // by network
	direct     []netlink.Route                  // those without a gateway, which lead to next hops
	own        map[netip.Addr]bool              // addresses of this machine

	plan    frame.Plan
	changes []network.Change
	kept    []string // what is asked for and there, or will be
}

func newLooking(now *network.State, heads []netip.Addr) *looking {
	l := &looking{now: now, heads: heads, routes: map[netip.Prefix][]netlink.Route{}, own: map[netip.Addr]bool{}}
	l.management = now.Management(heads, func(int) bool { return false })
	for _, r := range now.Routes {
		n := network.Network(r)
		l.routes[n] = append(l.routes[n], r)
		if r.Type == unix.RTN_UNICAST && r.Gw == nil && r.Via == nil && len(r.MultiPath) == 0 && n.Bits() > 0 {
			l.direct = append(l.direct, r)
		}
	}
	for _, a := range now.Addresses {
		l.own[network.Addr(a.IP)] = true
	}
	return l
}

// note says something about a route.
func (l *looking) note(kind frame.NoteKind, n netip.Prefix, format string, args ...any) {
	l.plan.Notes = append(l.plan.Notes, frame.Note{Kind: kind, About: n.String(), Why: fmt.Sprintf(format, args...)})
}

// name is the name of a link that a route leads over.
func (l *looking) name(index int) string {
	if link := l.now.Link(index); link != nil {
		return network.Name(link)
	}
	return fmt.Sprintf("interface %d", index)
}
