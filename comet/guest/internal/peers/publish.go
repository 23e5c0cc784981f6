package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/scope"
)

// Publish is the module that keeps the VM's own entries true.
type Publish struct {
	Machine  *frame.Machine
	Contexts []*known.Context
	Address  func() (netip.Addr, error) // the VM's own as it is now; the zero address: none is published
	KeyKind  sshkey.Kind                // of the pair that is made where root has none
	HostKeys bool                       // publish the SSH host keys too
}

// Name is "publish".
func (*Publish) Name() string { return "publish" }

// Plan writes what differs into the VM's own entries. Without a place-holder there is nothing to write into.
func (p *Publish) Plan(context.Context) (plan frame.Plan, err error) {
	return plan, errors.Join(p.planAddress(&plan), p.planKey(&plan))
}

func (p *Publish) planAddress(plan *frame.Plan) error {
	if len(p.hosts()) == 0 {
		return nil
	}
	address, err := p.Address()
	if err != nil {
		plan.Notes = append(plan.Notes, frame.Note{Kind: frame.Waiting, About: "own address", Why: frame.OneLine(err.Error())})
	}
	if err != nil || !address.IsValid() {
		return nil
	}
	var keys []string
	if p.HostKeys {
		keys, err = sshkey.Host(p.Machine) // the address is published all the same
	}
	return errors.Join(err, p.inEach(plan, p.hosts(), "address "+address.String(), func(c *known.Context, l *scope.List) error {
		return setHost(l, scope.Host{HostName: scope.CanonicalHostName(c.Self().HostName), IP: address.String(), SSHHostKeys: strings.Join(keys, ",")})
	}))
}

// hosts and pubKeys are the groups that the VM writes in.
func (p *Publish) hosts() []group {
	return groups(p.Contexts, scope.HostsOf, func(c *known.Context) []string { return written(c, c.Self().Slice.HostsWrite) })
}

func (p *Publish) pubKeys() []group {
	return groups(p.Contexts, scope.PubKeysOf, func(c *known.Context) []string { return written(c, c.Self().Slice.PubKeysWrite) })
}

// written is none of the groups without the token: a VM may read what it cannot write.
func written(c *known.Context, groups []string) []string {
	if c.Self().Slice.Tokens.Write.IsZero() {
		return nil
	}
	return groups
}

// setHost puts the VM's address and host keys into its own element: the only one, or that with its name. Who put the place-holder down has
// decided on the name in it.
func setHost(l *scope.List, own scope.Host) error {
	if l.Len() == 0 { // somebody has reset it
		scope.Put(l, own)
		return nil
	}
	i := 0
	if l.Len() > 1 {
		i = scope.Find[scope.Host](l, own.HostName)
	}
	if i < 0 {
		return fmt.Errorf("the entry has no element for %s", own.HostName)
	}
	was, err := scope.ElementAt[scope.Host](l, i)
	if err != nil {
		return err
	}
	own.HostName = scope.CanonicalHostName(was.HostName)
	if own.SSHHostKeys == "" { // nothing is known of them here
		own.SSHHostKeys = was.SSHHostKeys
	}
	scope.Replace(l, i, own)
	return nil
}

// planKey makes no key before there is an entry for it: of a VM that heads do not know nothing is to stay.
func (p *Publish) planKey(plan *frame.Plan) error {
	in := p.pubKeys()
	if len(in) == 0 {
		return nil
	}
	line, steps, err := p.key()
	if err != nil {
		return err
	}
	if line == "" && slices.ContainsFunc(in, group.waits) {
		plan.Steps = append(plan.Steps, steps...)
		return p.planNewKey(plan)
	}
	return p.inEach(plan, in, "root's SSH key", func(_ *known.Context, l *scope.List) error {
		if line == "" { // the entry has just come: the next pass makes the key
			return nil
		}
		return setKey(l, line)
	})
}

// waits reports whether there is an entry for the VM to fill in.
func (g group) waits() bool {
	_, there := g.in.Own(g.family)
	return there
}

// key is root's SSH key, or how it is made.
func (p *Publish) key() (line string, steps []frame.Step, err error) {
	return sshkey.Own(p.Machine, p.KeyKind, "root@"+scope.CanonicalHostName(p.Contexts[0].Self().HostName))
}

// planNewKey plans to publish a key that steps before make: whatever it is, it is another than those in the entries.
func (p *Publish) planNewKey(plan *frame.Plan) error {
	made := false
	set := func(_ *known.Context, l *scope.List) error {
		if !made {
			return setKey(l, "new")
		}
		line, _, err := p.key()
		if err == nil && line == "" {
			err = errNoKey
		}
		if err != nil {
			return err
		}
		return setKey(l, line)
	}
	defer func() { made = true }()
	return p.inEach(plan, p.pubKeys(), "the new key", set)
}

var errNoKey = errors.New("root's SSH key is not there: it was removed after it was made")

// setKey puts the VM's key into its own element: the one that has it, else one that waits to be filled in, else the first, which has the
// key of before.
func setKey(l *scope.List, line string) error {
	if l.Len() == 0 {
		scope.Put(l, scope.PubKey{PublicKey: line})
		return nil
	}
	i := 0
	for _, k := range []string{"", strings.TrimSpace(line)} {
		if at := scope.Find[scope.PubKey](l, k); at >= 0 {
			i = at
		}
	}
	own, err := scope.ElementAt[scope.PubKey](l, i)
	if err != nil || own.PublicKey == line {
		return err
	}
	own.PublicKey = line
	scope.Replace(l, i, own)
	return nil
}

// inEach plans to edit the VM's own entry in each group where it is not as it should be.
func (p *Publish) inEach(plan *frame.Plan, in []group, what string, edit func(*known.Context, *scope.List) error) error {
	var errs []error
	for _, g := range in {
		step, err := g.publish(what, edit)
		switch {
		case errors.Is(err, known.ErrUnheard):
			plan.Notes = append(plan.Notes, frame.Note{Kind: frame.Waiting, About: g.family.String(), Why: frame.OneLine(err.Error())})
		case errors.Is(err, known.ErrDoubted):
			plan.Notes = append(plan.Notes, frame.Note{Kind: frame.Doubted, About: g.family.String(), Why: frame.OneLine(err.Error())})
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", g.family, err))
		case step != nil:
			plan.Steps = append(plan.Steps, *step)
		default:
			plan.Count++
		}
	}
	return errors.Join(errs...)
}

// publish returns the step that edits the own entry of a group, nil where it is right.
func (g group) publish(what string, edit func(*known.Context, *scope.List) error) (*frame.Step, error) {
	value, there := g.in.Own(g.family)
	switch {
	case !there && g.in.Unheard(g.family) != nil:
		return nil, g.in.Unheard(g.family)
	case !there && g.in.Invisible() != nil:
		return nil, known.ErrDoubted // the context says more
	case !there: // only who puts down place-holders decides who is in a group
		return nil, fmt.Errorf("no entry of key %s for this VM to fill in: %w", g.in.Self().ReservationID, comet.ErrNotFound)
	}
	change := func(l *scope.List) error { return edit(g.in, l) }
	list, err := scope.ParseList(value)
	if err != nil {
		return nil, err
	}
	if err := change(list); err != nil || bytes.Equal(list.Bytes(), value) {
		return nil, err
	}
	return &frame.Step{Text: "publish " + what + " in " + g.family.String(), Do: func(ctx context.Context) error { return g.write(ctx, change) }}, nil
}

func (g group) write(ctx context.Context, change func(*scope.List) error) error {
	self := g.in.Self()
	var wrote []byte
	name := scope.Name{Context: self.SliceID, Family: g.family, Key: self.ReservationID}
	err := g.in.Client().Update(ctx, name, self.Slice.Tokens, func(l *scope.List) error {
		err := change(l)
		wrote = l.Bytes()
		return err
	})
	if err == nil {
		g.in.Wrote(g.family, wrote)
	}
	return err
}
