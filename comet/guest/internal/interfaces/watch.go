package interfaces

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/scope"
)

// pause keeps Watch from running in circles when the kernel has more to tell than it can take.
const pause = time.Second

// Watch asks for a pass whenever an interface that is wanted comes, goes or changes, until ctx ends; it returns the error of ctx, or
// why the kernel does not tell.
func (m *Module) Watch(ctx context.Context) error {
	for {
		if err := m.watch(ctx); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch ends without an error when something was missed.
func (m *Module) watch(ctx context.Context) error {
	updates, done := make(chan netlink.LinkUpdate), make(chan struct{})
	if err := netlink.LinkSubscribe(updates, done); err != nil {
		return fmt.Errorf("watch the interfaces: %w", err)
	}
	defer func() {
		close(done)
		for range updates { // until it has understood
		}
	}()
	m.machine.Wake() // for what came before
	for {
		select {
		case u, more := <-updates:
			if !more {
				return nil
			}
			if m.concerns(u.Attrs().HardwareAddr) || m.concerns(u.Attrs().PermHWAddr) {
				m.machine.Wake()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watched says whose changes are of interest.
func (m *Module) watched(orders []order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.macs = map[string]bool{}
	for _, o := range orders {
		m.macs[o.mac] = o.state != user
	}
}

func (m *Module) concerns(address net.HardwareAddr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.macs[scope.CanonicalMAC(address.String())]
}
