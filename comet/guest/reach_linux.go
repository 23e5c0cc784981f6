package guest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
)

const (
	settling = 15 * time.Second // what a network gets to settle before the heads are taken to be cut off
	lookup   = 2 * time.Second  // what a name server gets
	lookedUp = 5 * time.Minute  // how long the address of a head's name is believed to be the same
)

// heads are what changes of the network must not cut the machine off from.
func (g *Guest) heads() network.Heads {
	if len(g.contexts) == 0 {
		return network.Heads{}
	}
	a := &headAddresses{}
	for _, c := range g.contexts {
		a.add(c.Self().CometHost)
	}
	return network.Heads{Addresses: a.get, Reach: g.reach}
}

// reach asks heads until one answers, or the network has had its time to settle.
func (g *Guest) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		err := g.anyHead(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// anyHead asks a head of each context until one answers.
func (g *Guest) anyHead(ctx context.Context) error {
	var errs []error
	for _, c := range g.contexts {
		err := c.Ask(ctx)
		if err == nil || errors.Is(err, comet.ErrUnauthorized) || errors.Is(err, comet.ErrInvalid) { // it answered
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// headAddresses are the addresses of heads as far as they are known. Safe for concurrent use.
type headAddresses struct {
	names []string
	fixed []netip.Addr

	mu    sync.Mutex
	found []netip.Addr
	at    time.Time
}

func (a *headAddresses) add(list string) {
	heads, _ := comet.ParseHeads(list) // which the client has read before
	for _, head := range heads {
		u, err := url.Parse(head)
		if err != nil {
			continue
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
			a.fixed = append(a.fixed, addr)
		} else {
			a.names = append(a.names, u.Hostname())
		}
	}
}

func (a *headAddresses) get() []netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.names) > 0 && time.Since(a.at) > lookedUp {
		a.look()
	}
	return append(append([]netip.Addr(nil), a.fixed...), a.found...)
}

// look asks the name server; where it does not answer, what was found before stays.
func (a *headAddresses) look() {
	ctx, cancel := context.WithTimeout(context.Background(), lookup)
	defer cancel()
	a.at = time.Now()
	var found []netip.Addr
	for _, name := range a.names {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return
		}
		for _, addr := range addrs {
			found = append(found, addr.Unmap())
		}
	}
	a.found = found
}
