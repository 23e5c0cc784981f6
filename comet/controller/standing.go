package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrNameTaken: another VM of the slice has the host name.
var ErrNameTaken = errors.New("has that host name already")

// standing is what a slice's read token shows.
type standing []comet.Entry

func (c *Controller) list(ctx context.Context, tokens Tokens) (standing, error) {
	return c.client.List(ctx, tokens.SliceID, scope.Family{}, tokens.Read)
}

// fits makes sure that the VMs which stand already are those that the tokens were made for, and that host names are not taken.
func (t standing) fits(s orca.Slice, tokens Tokens) error {
	names := t.names(tokens)
	owner := map[string]scope.Key{}
	for key, name := range names {
		owner[name] = key
	}
	for _, vm := range s.VMs {
		if !vm.NeedsContext() {
			continue
		}
		if _, there := names[vm.ReservationID]; there && tokens.Write[vm.ReservationID].IsZero() {
			return fmt.Errorf("VM %s (%s) stands already: leave it out, or name the file that has its write token: %w", vm.HostName, vm.ReservationID, comet.ErrNoWriteToken)
		}
		if other := owner[canonical(vm.HostName)]; !other.IsZero() && other != vm.ReservationID {
			return fmt.Errorf("VM %s (%s): %s, which stands, %w", vm.HostName, vm.ReservationID, other, ErrNameTaken)
		}
	}
	return nil
}

// names returns what the VMs that stand are called: as they were put down, else as their entries say, if they do.
func (t standing) names(tokens Tokens) map[scope.Key]string {
	known := map[scope.Key]string{}
	for _, vm := range tokens.VMs {
		known[vm.ReservationID] = canonical(vm.HostName)
	}
	names := map[scope.Key]string{}
	for _, e := range t {
		kind, _ := e.Name.Family.Split()
		name := cmp.Or(known[e.Name.Key], names[e.Name.Key])
		if kind == scope.KindHosts && name == "" {
			if hosts, err := scope.Decode[scope.Host](e.Value); err == nil && len(hosts) > 0 {
				name = canonical(hosts[0].HostName)
			}
		}
		names[e.Name.Key] = name
	}
	return names
}

func canonical(hostName string) string { return strings.ToLower(scope.CanonicalHostName(hostName)) }

// groups returns the groups that stand, sorted.
func (t standing) groups() (groups []string) {
	for _, e := range t {
		kind, group := e.Name.Family.Split()
		if group != "" && (kind == scope.KindHosts || kind == scope.KindPubKeys) && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	slices.Sort(groups)
	return groups
}
