package guest

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// answer is what heads said when they were asked last in a pass.
type answer struct {
	known bool
	err   error // none answered
}

const (
	lookup    = 2 * time.Second  // what a name server gets
	lookedUp  = 5 * time.Minute  // how long the address of a head's name is believed to be the same
	lookAgain = 10 * time.Second // when it is asked again where it did not know all: the network may just come up
)

// headAddresses are the addresses of heads as far as they are known. They are kept, since a machine that starts has no name server yet.
// Safe for concurrent use.
type headAddresses struct {
	names []string
	fixed []netip.Addr

	mu    sync.Mutex
	found []netip.Addr
	next  time.Time // when names are looked up again
	news  bool      // found is not on disk
}

// addressFile has what was found.
const addressFile = "head-addresses"

type keptAddresses struct {
	Names     []string
	Addresses []netip.Addr
}

// recall takes up what an earlier guest found for the same names.
func (a *headAddresses) recall(m *frame.Machine) error {
	var kept keptAddresses
	if _, err := m.Load(addressFile, &kept); err != nil {
		return err
	}
	if slices.Equal(kept.Names, a.names) {
		a.found = kept.Addresses
	}
	return nil
}

// keep writes what was found since.
func (a *headAddresses) keep(m *frame.Machine) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.news {
		return nil
	}
	err := m.Save(addressFile, keptAddresses{a.names, a.found})
	a.news = err != nil
	return err
}

func (a *headAddresses) add(list string) {
	heads, _ := comet.ParseHeads(list) // which the client has read before
	for _, head := range heads {
		u, err := url.Parse(head)
		if err != nil {
			continue
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
			a.fixed = append(a.fixed, addr.Unmap().WithZone(""))
		} else {
			a.names = append(a.names, u.Hostname())
		}
	}
}

func (a *headAddresses) get() []netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.names) > 0 && !time.Now().Before(a.next) {
		a.look()
	}
	return append(append([]netip.Addr(nil), a.fixed...), a.found...)
}

// look asks the name server; where it does not know all, what was found before stays.
func (a *headAddresses) look() {
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	var found []netip.Addr
	a.next = time.Now().Add(lookedUp)
	for _, name := range a.names {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			a.next = time.Now().Add(lookAgain)
			addrs = a.found
		}
		for _, addr := range addrs {
			found = append(found, addr.Unmap())
		}
	}
	slices.SortFunc(found, netip.Addr.Compare)
	found = slices.Compact(found)
	a.news = a.news || !slices.Equal(found, a.found)
	a.found = found
}
