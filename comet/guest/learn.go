package guest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/scope"
)

// maxValue is the longest value that is looked at in hosts and pubkeys: one VM cannot stop a group by being large.
const maxValue = 64 << 10

// learnHosts writes the other VMs' addresses into /etc/hosts, the union of all groups.
func (g *Guest) learnHosts(ctx context.Context, from source, r *Report) error {
	if len(g.self.Slice.HostsRead) == 0 {
		return nil // the block is another program's, if it is there
	}
	known := map[string]string{} // addresses by name
	doubt := fromPeers(ctx, g, from, g.self.Slice.HostsRead, g.self.Slice.HostsWrite, scope.HostsOf, func(h scope.Host) error {
		address, err := hostAddress(h)
		if err == nil && address != "" {
			known[strings.ToLower(h.ElementKey())] = address
		}
		return err
	})
	own := strings.ToLower(g.hostName())
	delete(known, own)
	for _, name := range slices.Sorted(maps.Keys(known)) {
		r.Hosts = append(r.Hosts, scope.Host{HostName: name, IP: known[name]})
	}
	return g.keep(hostsBlock, hostLines(r.Hosts), doubt, r, func(line string) bool {
		_, name, _ := strings.Cut(line, "\t")
		return name != own && known[name] == ""
	})
}

// hostAddress returns a host's address in canonical form, empty where there is none yet. An address with a zone is refused: a zone
// may hold any text, and means nothing on another machine.
func hostAddress(h scope.Host) (string, error) {
	if err := h.Validate(); err != nil || h.IP == "" {
		return "", err
	}
	address, err := netip.ParseAddr(h.IP)
	if err != nil || address.Zone() != "" {
		return "", &scope.FieldError{Field: "ip", Reason: "is not an IP address that others can use"}
	}
	return address.String(), nil
}

func hostLines(hosts []scope.Host) (lines []string) {
	for _, h := range hosts {
		lines = append(lines, h.IP+"\t"+h.HostName)
	}
	return lines
}

// learnKeys writes the other VMs' SSH keys into root's authorized_keys, the union of all groups.
func (g *Guest) learnKeys(ctx context.Context, from source, r *Report) error {
	if len(g.self.Slice.PubKeysRead) == 0 {
		return nil
	}
	keys := map[string]bool{}
	doubt := fromPeers(ctx, g, from, g.self.Slice.PubKeysRead, g.self.Slice.PubKeysWrite, scope.PubKeysOf, func(k scope.PubKey) error {
		if k.ElementKey() == "" {
			return nil // not filled in yet
		}
		line, err := sshkey.Canonical(k.PublicKey)
		if err == nil {
			keys[line] = true
		}
		return err
	})
	r.Keys = len(keys)
	return g.keep(keysBlock, slices.Collect(maps.Keys(keys)), doubt, r, func(line string) bool { return !keys[line] })
}

// keep makes a block hold what was learned, and returns the doubt. Without doubt it holds nothing else. In doubt it never shrinks: it
// keeps the lines for which stays is true, and where nothing was learned the file is left alone.
func (g *Guest) keep(b fileBlock, learned []string, doubt error, r *Report, stays func(line string) bool) error {
	switch {
	case doubt == nil:
		stays = nil
	case len(learned) == 0:
		return doubt
	}
	return errors.Join(doubt, g.setBlock(b, learned, stays, r))
}

// errDoubted says that an answer cannot be right, so that nothing may be concluded from it.
var errDoubted = errors.New("the head shows nothing of this VM itself; what it says of the others is not believed")

// errEmpty is doubt about an answer of a group that this VM only reads.
var errEmpty = errors.New("the head shows nothing, as it does for a wrong read token; what was there stays")

// fromPeers passes every element of the other VMs' entries in the groups to take. What take refuses is left out and logged with the
// peer's name. A group whose answer failed or is not believed is left out as well; the error joins why.
func fromPeers[E scope.Element](ctx context.Context, g *Guest, from source, read, write []string, familyOf func(string) (scope.Family, error), take func(E) error) error {
	var doubts []error
	for _, group := range read {
		family, err := familyOf(group)
		var peers []comet.Entry
		if err == nil {
			peers, err = g.peers(ctx, from, family, slices.Contains(write, group))
		}
		if err != nil {
			doubts = append(doubts, fmt.Errorf("group %s: %w", group, err))
		}
		for _, p := range peers {
			if err := each(p.Value, take); err != nil {
				g.log.Warn("left out", slog.String("peer", p.Name.Key.String()), slog.String("family", family.String()), slog.Any("because", err))
			}
		}
	}
	return errors.Join(doubts...)
}

// peers returns the other VMs' entries. In a group where this VM also writes, an answer without its own entry is not believed; nor is
// an empty one where it only reads.
func (g *Guest) peers(ctx context.Context, from source, family scope.Family, writes bool) ([]comet.Entry, error) {
	entries, err := from.list(ctx, family)
	if err != nil {
		return nil, err
	}
	all := len(entries)
	entries = slices.DeleteFunc(entries, func(e comet.Entry) bool { return e.Name.Key == g.self.ReservationID })
	switch {
	case writes && len(entries) == all:
		return nil, errDoubted
	case all == 0:
		return nil, errEmpty
	}
	return entries, nil
}

var errTooLong = fmt.Errorf("value is longer than %d bytes", maxValue)

// each passes the elements of a value to take. It goes on past what is wrong, and returns the first error.
func each[E scope.Element](value []byte, take func(E) error) (first error) {
	if len(value) > maxValue {
		return errTooLong
	}
	list, err := scope.ParseList(value)
	if err != nil {
		return err
	}
	for i := range list.Len() {
		e, err := scope.ElementAt[E](list, i)
		if err == nil {
			err = take(e)
		}
		if first == nil {
			first = err
		}
	}
	return first
}
