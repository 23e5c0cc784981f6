package guest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
	"github.com/renci-nrig/comet-go/scope"
)

// maxValue is the longest value that is looked at in hosts and pubkeys: one VM cannot stop a group by being large.
const maxValue = 64 << 10

const (
	hostsFile = "etc/hosts"
	keysFile  = sshFolder + "/authorized_keys"
)

// learnHosts writes the other VMs' addresses into /etc/hosts, the union of all groups.
func (g *Guest) learnHosts(ctx context.Context, r *Report) error {
	addresses := map[string]string{} // by name
	err := g.fromPeers(ctx, g.self.Slice.HostsRead, g.self.Slice.HostsWrite, scope.HostsOf, func(peer comet.Entry) error {
		hosts, err := scope.Decode[scope.Host](peer.Value)
		for _, h := range hosts {
			err = errors.Join(err, h.Validate())
			if h.IP != "" && h.Validate() == nil {
				addresses[strings.ToLower(h.ElementKey())] = netip.MustParseAddr(h.IP).String()
			}
		}
		return err
	})
	if err != nil || len(g.self.Slice.HostsRead) == 0 {
		return err
	}
	delete(addresses, strings.ToLower(g.hostName()))
	var lines []string
	for name, address := range addresses {
		lines = append(lines, address+"\t"+name)
		r.Hosts = append(r.Hosts, scope.Host{HostName: name, IP: address})
	}
	slices.Sort(lines)
	slices.SortFunc(r.Hosts, func(a, b scope.Host) int { return strings.Compare(a.IP+"\t"+a.HostName, b.IP+"\t"+b.HostName) })
	return g.setBlock(hostsFile, 0o644, block.NEuca("comet"), lines, r)
}

// learnKeys writes the other VMs' SSH keys into root's authorized_keys, the union of all groups.
func (g *Guest) learnKeys(ctx context.Context, r *Report) error {
	var lines []string
	err := g.fromPeers(ctx, g.self.Slice.PubKeysRead, g.self.Slice.PubKeysWrite, scope.PubKeysOf, func(peer comet.Entry) error {
		keys, err := scope.Decode[scope.PubKey](peer.Value)
		for _, k := range keys {
			if k.ElementKey() == "" {
				continue // not filled in yet
			}
			line, bad := canonicalKey(k.PublicKey)
			if bad != nil {
				err = errors.Join(err, bad)
				continue
			}
			lines = append(lines, line)
		}
		return err
	})
	if err != nil || len(g.self.Slice.PubKeysRead) == 0 {
		return err
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	r.Keys = len(lines)
	if err := g.makeFolder(sshFolder, 0o700); err != nil {
		return err
	}
	return g.setBlock(keysFile, 0o600, block.NEuca("comet pubkeys"), lines, r)
}

// errDoubted says that an answer cannot be right, so that nothing may be concluded from it.
var errDoubted = errors.New("the head shows nothing of this VM itself; what it says of the others is not believed")

// fromPeers passes every other VM's entry in the groups to take. What take refuses is left out and logged with the peer's name. In a
// group where this VM also writes, an answer without its own entry is not believed; nor is an empty one where it only reads.
func (g *Guest) fromPeers(ctx context.Context, read, write []string, familyOf func(string) (scope.Family, error), take func(comet.Entry) error) error {
	for _, group := range read {
		family, err := familyOf(group)
		if err != nil {
			return err
		}
		entries, err := g.client.List(ctx, g.self.SliceID, family, g.self.Slice.Tokens.Read)
		if err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		own := slices.ContainsFunc(entries, func(e comet.Entry) bool { return e.Name.Key == g.self.ReservationID })
		if !own && slices.Contains(write, group) || len(entries) == 0 {
			return fmt.Errorf("group %s: %w", group, errDoubted)
		}
		for _, e := range entries {
			if e.Name.Key == g.self.ReservationID {
				continue
			}
			err := errTooLong
			if len(e.Value) <= maxValue {
				err = take(e)
			}
			if err != nil {
				g.log.Warn("left out", slog.String("peer", e.Name.Key.String()), slog.String("family", family.String()), slog.Any("because", err))
			}
		}
	}
	return nil
}

var errTooLong = fmt.Errorf("value is longer than %d bytes", maxValue)
