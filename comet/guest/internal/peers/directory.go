package peers

import (
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/scope"
)

// HostsBlock is where the other VMs' names and addresses stand.
var HostsBlock = frame.Block{File: "etc/hosts", Name: "comet", Mode: 0o644}

// namesState is where it is kept who had which name first.
const namesState = "names.json"

// Directory knows the other VMs of all contexts by name. It serves the modules hosts and known-hosts. Safe for concurrent use.
type Directory struct {
	machine  *frame.Machine
	contexts []*known.Context
	domain   string

	hosts, knownHosts frame.Settled

	mu    sync.Mutex
	seen  seen // what the listing was made of
	now   listing
	fresh bool
}

// NewDirectory returns the directory of the contexts' VMs. Names with a dot must lie in domain; where it is empty, in that of the VM's
// own name.
func NewDirectory(m *frame.Machine, contexts []*known.Context, domain string) *Directory {
	return &Directory{machine: m, contexts: contexts, domain: strings.ToLower(strings.Trim(domain, "."))}
}

// listing is what is known of the other VMs.
type listing struct {
	accepted map[string]claim  // by name
	first    map[string]string // who has which name
	changed  bool              // first is not what is kept on disk
	notes    []frame.Note

	sure, believed bool // as in filling
}

// seen is what a listing depends on.
type seen struct {
	turn    int
	foreign string
	first   string
	former  bool
}

func (d *Directory) groups() []group {
	return groups(d.contexts, scope.HostsOf, func(c *known.Context) []string { return c.Self().Slice.HostsRead })
}

// list returns what is known now.
func (d *Directory) list() (listing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	foreign, err := d.machine.Foreign(HostsBlock, func(line string) bool { _, _, ok := d.hostLine(line); return ok })
	if err != nil {
		return listing{}, err
	}
	first := map[string]string{}
	if _, err := d.machine.Load(namesState, &first); err != nil {
		return listing{}, err
	}
	whose, err := holds(d.machine, HostsBlock, d.groups())
	if err != nil {
		return listing{}, err
	}
	s := seen{turn: turns(d.contexts), foreign: string(foreign), first: fingerprint(first), former: whose.former()}
	if !d.fresh || s != d.seen {
		d.now, d.seen, d.fresh = d.make(foreign, first, s.former), s, true
	}
	return d.now, nil
}

// make makes the listing. former: the VM has left the slices whose names are those that were first.
func (d *Directory) make(foreign []byte, first map[string]string, former bool) (l listing) {
	n := names{domain: d.ownDomain(), own: d.ownNames(), heads: d.headNames(), taken: foreignNames(foreign), first: first}
	all := claims{}
	l.sure, l.believed = answers(d.groups(), &l.notes, func(g group, p known.Peer) {
		each(p, g.family, &l.notes, func(h scope.Host) error { return n.hear(all, who(g.in, p.Key), p.Modified, h) })
	})
	l.sure = l.sure || l.believed && former
	l.accepted, l.first = n.decide(all, l.sure, &l.notes)
	l.changed = fingerprint(l.first) != fingerprint(first)
	return l
}

// ownNames are the names of the VM itself: with its domain and without.
func (d *Directory) ownNames() map[string]bool {
	own, domain := map[string]bool{}, d.ownDomain()
	for _, c := range d.contexts {
		name := strings.ToLower(scope.CanonicalHostName(c.Self().HostName))
		short, _, _ := strings.Cut(name, ".")
		own[name], own[short] = true, true
		if domain != "" {
			own[short+"."+domain] = true
		}
	}
	return own
}

func (d *Directory) ownDomain() string {
	if d.domain != "" {
		return d.domain
	}
	for _, c := range d.contexts {
		if _, domain, ok := strings.Cut(scope.CanonicalHostName(c.Self().HostName), "."); ok {
			return strings.ToLower(domain)
		}
	}
	return ""
}

func (d *Directory) headNames() map[string]bool {
	names := map[string]bool{}
	for _, c := range d.contexts {
		heads, _ := comet.ParseHeads(c.Self().CometHost) // which the client has read before
		for _, head := range heads {
			if u, err := url.Parse(head); err == nil {
				names[strings.ToLower(u.Hostname())] = true
			}
		}
	}
	return names
}

// Hosts returns the other VMs whose address is known, by name.
func (d *Directory) Hosts() (hosts []scope.Host, err error) {
	l, err := d.list()
	for _, line := range l.lines() {
		ip, name, _ := strings.Cut(line, "\t")
		hosts = append(hosts, scope.Host{HostName: name, IP: ip})
	}
	return hosts, err
}

// hostLine is a line of the block, taken apart and checked as if a peer had sent it.
func (d *Directory) hostLine(line string) (name string, address netip.Addr, ok bool) {
	ip, name, found := strings.Cut(line, "\t")
	address, err := checkAddress(ip)
	name = strings.ToLower(name)
	return name, address, found && err == nil && address.IsValid() && d.peersName(name)
}

// peersName reports whether a name can be another VM's.
func (d *Directory) peersName(name string) bool {
	return checkName(name, d.ownDomain(), d.headNames()) == nil && !d.ownNames()[name]
}
