package peers

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/scope"
)

// claim is what a peer says of a name.
type claim struct {
	who      string // the context and key of the peer
	address  netip.Addr
	hostKeys string
	since    time.Time
}

// claims are what the peers say of names, in lower case.
type claims map[string][]claim

// names decides who has which name.
type names struct {
	domain string          // names with a dot must lie in it
	own    map[string]bool // names of this VM
	heads  map[string]bool
	taken  map[string]bool   // names that foreign lines of the hosts file answer
	first  map[string]string // who had a name first, kept on disk
}

// hear notes what one element of a peer's entry claims.
func (n names) hear(c claims, who string, since time.Time, h scope.Host) error {
	name := strings.ToLower(h.ElementKey())
	if err := checkName(name, n.domain, n.heads); err != nil {
		return err
	}
	switch {
	case n.own[name]:
		return errors.New("hostName is that of this VM")
	case n.taken[name]:
		return errors.New("hostName is answered by a line of the hosts file that is not the guest's")
	}
	address, err := checkAddress(h.IP)
	if err != nil {
		return err
	}
	c[name] = append(c[name], claim{who, address, h.SSHHostKeys, since})
	return nil
}

// decide returns whose each name is, and who has it then: the one that had it first, else the one whose entry is the oldest. Others
// are noted, unless they say the same. sure: a holder that claims its name no more has given it up.
func (n names) decide(all claims, sure bool, notes *[]frame.Note) (accepted map[string]claim, first map[string]string) {
	accepted, first = map[string]claim{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list := all[name]
		holder := n.first[name]
		if claimedBy := slices.ContainsFunc(list, func(c claim) bool { return c.who == holder }); !claimedBy && (sure || holder == "") {
			holder = slices.MinFunc(list, older).who
		}
		first[name] = holder
		for _, c := range list {
			if c.who == holder {
				accepted[name] = better(accepted[name], c)
			}
		}
		for _, c := range list {
			if c.who != holder && c.address.IsValid() && c.address != accepted[name].address {
				*notes = append(*notes, frame.Note{Kind: frame.LeftOut, About: "peer " + frame.OneLine(c.who),
					Why: "claims the host name " + name + ", which " + frame.OneLine(holder) + " had first"})
			}
		}
	}
	if !sure {
		for name, holder := range n.first {
			if first[name] == "" {
				first[name] = holder
			}
		}
	}
	return accepted, first
}

func older(a, b claim) int {
	switch {
	case a.since.IsZero() != b.since.IsZero():
		return cmp.Compare(boolInt(a.since.IsZero()), boolInt(b.since.IsZero()))
	case !a.since.Equal(b.since):
		return a.since.Compare(b.since)
	}
	return cmp.Compare(a.who, b.who)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// better joins what one peer says of its name in several groups: one with an address tells more, the newer one is truer.
func better(a, b claim) claim {
	switch {
	case a.who == "" || !a.address.IsValid() && b.address.IsValid():
		return b
	case b.address.IsValid() && b.since.After(a.since):
		return b
	}
	return a
}

// who names a peer among those of all contexts.
func who(c *known.Context, key scope.Key) string {
	return c.Self().SliceID.String() + "/" + key.String()
}

// foreignNames returns the names that a hosts file answers, in lower case.
func foreignNames(file []byte) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(string(file)) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 1 {
			for _, name := range fields[1:] {
				names[strings.ToLower(name)] = true
			}
		}
	}
	return names
}
