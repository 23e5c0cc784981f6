package interfaces

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
)

// ledger is what the guest remembers of its own doing. Hardware addresses are as scope.CanonicalMAC makes them.
type ledger struct {
	Boot       string                    // of Ours
	Ours       map[string][]netip.Prefix // addresses that the guest has set, or was about to, by hardware address
	Management []string                  // what carried the machine's contact when it was last known
	Told       map[string][]string       // which hardware addresses each program has been told to leave alone
}

const ledgerFile = "interfaces"

// load returns the ledger; what was set before a reboot is gone, and not in it.
func (m *Module) load() (l ledger, err error) {
	if _, err := m.machine.Load(ledgerFile, &l); err != nil {
		return ledger{}, err
	}
	if boot := frame.BootID(); l.Boot != boot {
		l.Boot, l.Ours = boot, nil
	}
	if l.Ours == nil {
		l.Ours = map[string][]netip.Prefix{}
	}
	if l.Told == nil {
		l.Told = map[string][]string{}
	}
	return l, nil
}

// update changes the ledger on disk.
func (m *Module) update(management []string, change func(*ledger)) error {
	l, err := m.load()
	if err != nil {
		return err
	}
	l.Management = management
	change(&l)
	return m.machine.Save(ledgerFile, l)
}

func (l *ledger) macs() []string { return slices.Sorted(maps.Keys(l.Ours)) }

func (l *ledger) add(mac string, address netip.Prefix) {
	if !slices.Contains(l.Ours[mac], address) {
		l.Ours[mac] = append(l.Ours[mac], address)
	}
}

func (l *ledger) drop(mac string, address netip.Prefix) {
	l.Ours[mac] = slices.DeleteFunc(l.Ours[mac], func(a netip.Prefix) bool { return a == address })
	if len(l.Ours[mac]) == 0 {
		delete(l.Ours, mac)
	}
}

// forget plans that the ledger loses what is neither wanted nor there any more, and what has been handed over to the user: set again by
// somebody else, it is theirs.
func (l *looking) forget(orders []order) {
	gone := map[string][]netip.Prefix{}
	for mac, ours := range l.ledger.Ours {
		var kept []netip.Prefix
		if link, _, err := l.now.Find(mac); err == nil {
			kept = l.now.Prefixes(link.Attrs().Index)
		}
		if i := slices.IndexFunc(orders, func(o order) bool { return o.mac == mac }); i >= 0 {
			kept = append(kept, orders[i].addresses...)
			if orders[i].state == user {
				kept = nil
			}
		}
		for _, a := range ours {
			if !slices.Contains(kept, a) {
				gone[mac] = append(gone[mac], a)
			}
		}
	}
	for _, mac := range slices.Sorted(maps.Keys(gone)) {
		text := "forget addresses that " + network.Colons(mac) + " had from the guest"
		l.plan.Steps = append(l.plan.Steps, frame.Step{Text: text, Do: func(context.Context) error {
			return l.module.update(l.ledger.Management, func(b *ledger) {
				for _, a := range gone[mac] {
					b.drop(mac, a)
				}
			})
		}})
	}
}
