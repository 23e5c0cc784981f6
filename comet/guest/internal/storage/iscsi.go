package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// Exit codes of iscsiadm(8).
const (
	sessionExists = 15
	noRecords     = 21
	loginRefused  = 24
)

// offer is a target at a portal, as iscsiadm prints it: "10.0.0.1:3260,1 iqn.2026-01.org.example:disk".
type offer struct {
	portal netip.AddrPort
	tag    string // of the portal group
	target string
}

// targets are names by RFC 3720, which are parts of paths.
var targets = regexp.MustCompile(`^(iqn|eui|naa)\.[A-Za-z0-9][A-Za-z0-9.:_-]{0,218}$`)

func parseOffer(text string) (o offer, ok bool) {
	fields := strings.Fields(text)
	if len(fields) < 2 || !targets.MatchString(fields[1]) {
		return o, false
	}
	portal, tag, _ := strings.Cut(fields[0], ",")
	at, err := netip.ParseAddrPort(portal)
	if err != nil || at.Addr().Zone() != "" || strings.Trim(tag, "0123456789") != "" || tag == "" {
		return o, false
	}
	return offer{portal: at, tag: tag, target: fields[1]}, true
}

// session is a login: "tcp: [1] 10.0.0.1:3260,1 iqn.2026-01.org.example:disk (non-flash)".
type session struct {
	id string
	offer
}

func (s *Storage) sessions(ctx context.Context) ([]session, error) {
	out, err := s.machine.Run(ctx, frame.Command{Program: "iscsiadm", Args: []string{"-m", "session"}})
	if frame.ExitCode(err) == noRecords {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSessions(string(out)), nil
}

func parseSessions(out string) (list []session) {
	for text := range strings.Lines(out) {
		_, rest, _ := strings.Cut(text, "[")
		id, rest, _ := strings.Cut(rest, "]")
		if o, ok := parseOffer(rest); ok && id != "" && strings.Trim(id, "0123456789") == "" {
			list = append(list, session{id: id, offer: o})
		}
	}
	return list
}

// offers asks a portal for its targets. Nothing of the answer is kept by open-iscsi.
func (s *Storage) offers(ctx context.Context, portal netip.AddrPort) (list []offer, err error) {
	c, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "tcp", portal.String()) // iscsiadm would take minutes
	if err != nil {
		return nil, fmt.Errorf("the portal %s does not answer: %w", portal, err)
	}
	_ = c.Close()
	out, err := s.machine.Run(ctx, frame.Command{Program: "iscsiadm", Args: []string{"-m", "discovery", "-t", "sendtargets", "-o", "nonpersistent", "-p", portal.String()}})
	if err != nil && frame.ExitCode(err) != noRecords {
		return nil, err
	}
	elsewhere := 0
	for text := range strings.Lines(string(out)) {
		switch o, ok := parseOffer(text); {
		case ok && o.portal == portal:
			list = append(list, o)
		case ok:
			elsewhere++
		}
	}
	if len(list) == 0 && elsewhere > 0 {
		return nil, fmt.Errorf("the portal %s tells of targets at other portals only", portal)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the portal %s has no target for this initiator", portal)
	}
	return list, nil
}

// attach logs in to the targets that may have a disk, and waits a moment for it. One that takes the login is enough: others may be those of
// other disks, with other secrets.
func (s *Storage) attach(ctx context.Context, o order, all []order) error {
	l, err := s.load()
	if err != nil {
		return err
	}
	if err := s.transport(ctx); err != nil {
		return err
	}
	d, taken := l.find(o), l.taken(o, all)
	offers, err := s.offers(ctx, o.portal)
	if err != nil {
		return err
	}
	offers = slices.DeleteFunc(offers, func(at offer) bool {
		return slices.Contains(taken, at.target) || len(d.Targets) > 0 && !slices.Contains(d.Targets, at.target)
	})
	in, failed, err := s.enter(ctx, o, &d, offers)
	if err != nil {
		return err
	}
	if len(in) == 0 {
		return cmp.Or(failed, fmt.Errorf("the portal %s has no target for this disk", o.portal))
	}
	if len(in) > 1 { // so that no disk is taken for the only one because the others are late
		if err := s.rescan(ctx, o, in); err != nil {
			return err
		}
	}
	there, err := s.await(ctx, o, in)
	if err == nil && !there && failed != nil {
		return failed // it may be there
	}
	d.Targets = in
	return errors.Join(err, s.saveLogins(d))
}

// enter returns those targets in which there is a session, also one that it has begun; failed is why others have none.
func (s *Storage) enter(ctx context.Context, o order, d *device, offers []offer) (in []string, failed, err error) {
	sessions, err := s.sessions(ctx)
	if err != nil {
		return nil, nil, err
	}
	var foreign []string // with another disk's user
	for _, at := range offers {
		switch {
		case !slices.ContainsFunc(sessions, func(s session) bool { return s.portal == at.portal && s.target == at.target }):
			if err := s.login(ctx, o, d, at); err != nil {
				failed = errors.Join(failed, err)
				continue
			}
		case s.another(o, at):
			foreign = append(foreign, at.target)
			continue
		}
		in = append(in, at.target)
	}
	if len(in) == 0 && failed == nil {
		in = foreign
	}
	return in, failed, nil
}

// login logs in to a target. The ledger has it before.
func (s *Storage) login(ctx context.Context, o order, d *device, at offer) error {
	d.Logins, d.NotAtBoot = append(without(d.Logins, at.target), at.target), without(d.NotAtBoot, at.target)
	if err := s.saveLogins(*d); err != nil {
		return err
	}
	if err := s.record(ctx, o, at, "automatic"); err != nil {
		return err
	}
	_, err := s.machine.Run(ctx, onNode(at, "--login"))
	if err == nil || frame.ExitCode(err) == sessionExists {
		return nil
	}
	err = errors.Join(err, s.undo(ctx, o, d, at))
	if frame.ExitCode(err) == loginRefused {
		return fmt.Errorf("the target %s refuses targetChapUser or targetChapSecret: %w", at.target, err)
	}
	return fmt.Errorf("log in to %s: %w", at.target, err)
}

// undo sees to it that the next boot does not try a login that has failed, and that nothing is left of its secret.
func (s *Storage) undo(ctx context.Context, o order, d *device, at offer) error {
	o.secret = scope.Hidden{}
	if err := s.record(ctx, o, at, "manual"); err != nil {
		return err
	}
	d.Logins = without(d.Logins, at.target)
	return s.saveLogins(*d)
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(t string) bool { return t == one })
}

// onNode is a command about one target at one portal.
func onNode(at offer, args ...string) frame.Command {
	return frame.Command{Program: "iscsiadm", Args: append([]string{"-m", "node", "-T", at.target, "-p", at.portal.String()}, args...), Limit: 3 * time.Minute}
}

// rescan lets the kernel look for disks of targets that came later than the login.
func (s *Storage) rescan(ctx context.Context, o order, in []string) error {
	sessions, err := s.sessions(ctx)
	for _, have := range sessions {
		if have.portal == o.portal && slices.Contains(in, have.target) {
			_, e := s.machine.Run(ctx, frame.Command{Program: "iscsiadm", Args: []string{"-m", "session", "-r", have.id, "--rescan"}})
			err = errors.Join(err, e)
		}
	}
	return err
}

// await waits a moment for a disk to appear, and reports whether it has. Should it take longer, the next pass finds it.
func (s *Storage) await(ctx context.Context, o order, in []string) (there bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		links, err := s.links()
		there := slices.ContainsFunc(links, func(l link) bool { return l.is(o) && slices.Contains(in, l.target) })
		if err != nil || there {
			return there, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
	}
}
