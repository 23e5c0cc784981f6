package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// Settings say how disks are looked after.
type Settings struct {
	Initiator string // the iSCSI name of the VM, iscsi_initiator_iqn of its user data; without one nothing is attached
	OldState  string // below the root: where older tools left what they know; var/lib/neuca where it is empty
}

var (
	_ frame.Busy = (*Storage)(nil)
	_ frame.Slow = (*Storage)(nil)
)

// Storage is the module "storage".
type Storage struct {
	Settings
	machine  *frame.Machine
	wanted   frame.Source[scope.Storage]
	byPath   string
	loaded   bool          // the kernel's part of iSCSI is there
	patience time.Duration // how long a step waits for a disk to appear

	mu        sync.Mutex
	works     map[string]*work     // by the name of the disk
	rescanned map[string]time.Time // likewise
}

// New returns the module that looks after these disks.
func New(m *frame.Machine, wanted frame.Source[scope.Storage], s Settings) *Storage {
	s.OldState = cmp.Or(s.OldState, "var/lib/neuca")
	return &Storage{Settings: s, machine: m, wanted: wanted, byPath: "/dev/disk/by-path", patience: 5 * time.Second,
		works: map[string]*work{}, rescanned: map[string]time.Time{}}
}

// Name returns "storage".
func (*Storage) Name() string { return "storage" }

// Slow tells that portals may keep it waiting.
func (*Storage) Slow() {}

// Plan looks how far the disks are, and what comes next for each of them. Where all are in place, it runs no program.
func (s *Storage) Plan(ctx context.Context) (frame.Plan, error) {
	if err := s.machine.Needs(); err != nil {
		return frame.Plan{}, err
	}
	wanted, err := s.wanted()
	if err != nil {
		return frame.Plan{}, err
	}
	orders, refused, notes := ordersOf(wanted.Elements)
	l := &looking{storage: s, orders: orders, plan: frame.Plan{Notes: append(slices.Clone(wanted.Notes), notes...)}}
	if len(orders) > 0 && !targets.MatchString(s.Initiator) {
		l.say(frame.Warning, "iscsi_initiator_iqn", "is not given, or is no iSCSI name: no disk is touched")
		return l.plan, nil
	}
	if err := l.look(); err != nil {
		return l.plan, err
	}
	for _, o := range orders {
		if err := l.keep(ctx, o); err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %w", o.name, err))
		}
	}
	l.withdraw(refused, wanted.Whole && len(notes) == 0)
	l.errs = append(l.errs, l.table())
	l.plan.Steps = append(l.plan.Steps, l.mountings...)
	return l.plan, errors.Join(l.errs...)
}

// looking is one look at the machine, and what follows from it.
type looking struct {
	storage  *Storage
	orders   []order
	ledger   ledger
	links    []link
	mounts   []mount
	foreign  map[string]bool // mount points in /etc/fstab that are not the guest's
	logins   []session       // once asked
	asked    bool
	named    bool // the initiator's name has been looked at
	isNamed  bool // and is right
	lines    map[string]string
	wantedAt map[string]string // by UUID
	gone     map[string]bool   // UUIDs of disks that are not wanted any more

	plan      frame.Plan
	mountings []frame.Step // behind all others
	errs      []error
}

func (l *looking) look() (err error) {
	l.lines, l.wantedAt, l.gone, l.foreign = map[string]string{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	if l.ledger, err = l.storage.load(); err != nil {
		return err
	}
	if l.links, err = l.storage.links(); err != nil {
		return err
	}
	if l.mounts, err = mounts(); err != nil {
		return err
	}
	return l.others()
}

func (l *looking) say(kind frame.NoteKind, about, why string) {
	l.plan.Notes = append(l.plan.Notes, frame.Note{Kind: kind, About: about, Why: frame.OneLine(why)})
}

// step plans what comes next for a disk.
func (l *looking) step(o order, text string, do func(context.Context) error) {
	l.plan.Steps = append(l.plan.Steps, frame.Step{Text: text, Of: o.name, Do: do})
}

// sessions asks open-iscsi once in a look.
func (l *looking) sessions(ctx context.Context) (list []session, err error) {
	if !l.asked {
		if l.logins, err = l.storage.sessions(ctx); err != nil {
			return nil, err
		}
		l.asked = true
	}
	return l.logins, nil
}

// keep plans the next step for a disk.
func (l *looking) keep(ctx context.Context, o order) error {
	d := l.ledger.find(o)
	if d.UUID != "" {
		l.wantedAt[d.UUID] = o.mount
	}
	taken := l.ledger.taken(o, l.orders)
	fits := slices.DeleteFunc(slices.Clone(l.links), func(k link) bool {
		return !k.is(o) || slices.Contains(taken, k.target) || len(d.Targets) > 0 && !slices.Contains(d.Targets, k.target)
	})
	switch len(fits) {
	case 0:
		return l.attach(ctx, o, d)
	case 1:
		d.Targets = []string{fits[0].target}
	default:
		l.say(frame.Warning, o.about(), fmt.Sprintf("%d targets have %s: none is touched", len(fits), o.where()))
		return nil
	}
	k, err := diskAt(fits[0].path)
	if err != nil {
		return err
	}
	switch {
	case !o.format && o.mount == "":
		l.plan.Count++
		return nil
	case d.State == "":
		return l.decide(ctx, o, d, k)
	case d.State == making:
		return l.resume(ctx, o, d, k)
	case d.State == found && o.format && !l.storage.handled(o):
		l.say(frame.Warning, o.about(), "held "+d.FSType+" before, and is used as it is: it is not formatted")
	}
	if o.mount == "" {
		l.plan.Count++
		return nil
	}
	return l.mounted(ctx, o, d, k)
}

// attach plans what makes a disk appear.
func (l *looking) attach(ctx context.Context, o order, d device) error {
	s := l.storage
	if ready, err := l.ready(ctx); err != nil || !ready {
		l.say(frame.Waiting, o.about(), "the initiator has no name yet")
		return err
	}
	sessions, err := l.sessions(ctx)
	if err != nil {
		return err
	}
	there := slices.ContainsFunc(sessions, func(h session) bool { return h.portal == o.portal && slices.Contains(d.Targets, h.target) })
	l.plan.More = true
	if !there {
		l.step(o, "attach "+o.name+", "+o.where(), func(ctx context.Context) error { return s.attach(ctx, o, l.orders) })
		return nil
	}
	l.say(frame.Waiting, o.about(), "logged in, but there is no "+o.where()+" yet")
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.rescanned[o.name]) > time.Minute {
		l.step(o, "look for "+o.name+" again, "+o.where(), func(ctx context.Context) error { return s.again(ctx, o, d.Targets) })
	}
	return nil
}

// ready reports whether disks can be attached, and plans once in a look what is missing for that.
func (l *looking) ready(ctx context.Context) (bool, error) {
	if l.named {
		return l.isNamed, nil
	}
	l.named = true
	var err error
	l.isNamed, err = l.initiator(ctx)
	return l.isNamed, err
}

// again lets the kernel look for a disk again.
func (s *Storage) again(ctx context.Context, o order, in []string) error {
	s.mu.Lock()
	s.rescanned[o.name] = time.Now()
	s.mu.Unlock()
	if err := s.rescan(ctx, o, in); err != nil {
		return err
	}
	_, err := s.await(ctx, o, in)
	return err
}
