package guest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/guest/internal/peers"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Member is a context in which the VM takes part, and the client that speaks to its heads. The client stays the caller's to close.
type Member struct {
	Client *comet.Client // nil where the user data has no heads: all that the VM needs is then in it
	Self   orca.UserData // names the slice, the reservation, and a read token at least; without the slice's write token nothing is published
}

// Settings say where and how a guest works. The zero value is right but for Address.
type Settings struct {
	Root       string                     // the folder below which all files lie; "/" where it is empty
	Instance   string                     // names the state: a clone of the machine is another instance; the reservation where it is empty
	Address    func() (netip.Addr, error) // the VM's own address as it is now, to be published; nil: none is
	Every      time.Duration              // between looks at the machine, and questions to heads that do not tell of changes; 10 s where it is zero
	Settled    time.Duration              // between such questions once all have reported; 6 times Every where it is zero
	Modules    map[string]Mode            // switches by name; those that are not named are as DefaultModes says
	Only       []string                   // modules that are looked at, all where it is empty; the others are left as they are
	Domain     string                     // peers' names may have a dot within this domain; that of the VM's own name where it is empty
	KeyKind    KeyKind                    // of the SSH key pair that is made where root has none; ed25519 where it is empty
	Loopback   netip.Addr                 // what the VM's own name answers with in /etc/hosts; DefaultLoopback where it is the zero address
	IgnoreMACs []string                   // network interfaces that are left alone, as 12 hex digits
	Scripts    ScriptSettings
	NoLoopback bool          // keep no such line
	Retry      time.Duration // before what failed is tried again, then longer and longer; 1 s where it is zero
	Logger     *slog.Logger  // slog.Default() where it is nil
}

const defaultEvery = 10 * time.Second

// Guest keeps one VM as its slice wants it. One goroutine at a time may use it, but for Status and Hosts, which any may
// call.
type Guest struct {
	Settings
	machine  *frame.Machine
	runner   *frame.Runner
	contexts []*known.Context
	own      *known.Context // the one of them that is for this VM alone; nil where its user data has no heads
	sources
	directory *peers.Directory
	pubKeys   *peers.PubKeys
	watch     func(context.Context) error // tells of network interfaces that come or change
	modes     map[string]Mode
	addresses headAddresses
	answer    answer // in the pass under way
	order     order
	self      orca.UserData     // the VM's own
	kept      time.Time         // when what is known was kept last
	before    time.Time         // when an earlier guest kept what it knew
	headless  bool              // there is user data with tokens that names no head to ask with them
	cleaned   int64             // how often the machine was, when it was read what was known before
	forgot    bool              // what was kept of contexts of before is gone
	said      map[string]saying // what was logged

	mu     sync.Mutex
	status Status
}

// New returns the guest of a VM that takes part in the contexts of members. The first is the VM's own: what is for this VM alone, and its
// name, comes from there; of the others it has the groups. What an earlier guest of the same instance knew holds until heads say more.
func New(s Settings, members ...Member) (*Guest, error) {
	if len(members) == 0 {
		return nil, errors.New("the VM takes part in no context")
	}
	s.Every, s.Retry = cmp.Or(s.Every, defaultEvery), cmp.Or(s.Retry, time.Second)
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	if s.Address == nil {
		s.Address = func() (netip.Addr, error) { return netip.Addr{}, nil }
	}
	machine, err := frame.Open(s.Root, cmp.Or(s.Instance, folderName(members[0].Self.ReservationID.String())), s.Logger)
	if err != nil {
		return nil, err
	}
	g := &Guest{Settings: s, machine: machine, runner: frame.NewRunner(machine, s.Retry, 0), said: map[string]saying{}, self: members[0].Self}
	g.cleaned = machine.Cleared()
	for _, m := range members {
		if err := g.join(m); err != nil {
			return nil, errors.Join(err, machine.Close())
		}
	}
	if err := g.addresses.recall(machine); err != nil {
		g.Logger.Warn("the heads' addresses have to be looked up again", slog.Any("because", err))
	}
	g.runner.Mend(peers.HostsBlock.File, peers.KeysBlock.File, peers.KnownHostsBlock.File)
	if members[0].Client != nil {
		g.own = g.contexts[0]
	}
	g.directory, g.pubKeys = peers.NewDirectory(machine, g.contexts, s.Domain), peers.NewPubKeys(machine, g.contexts)
	g.sources = g.sourcesOf(g.own)
	g.addModules()
	g.status = g.report(nil)
	return g, nil
}

// join takes part in a context.
func (g *Guest) join(m Member) error {
	if m.Client == nil {
		g.headless = g.headless || hasTokens(m.Self)
		return nil
	}
	c, err := known.New(m.Client, m.Self, known.Settings{Every: g.Every, Settled: g.Settled, Changed: g.machine.Wake, Log: g.Logger})
	if err != nil {
		return err
	}
	g.contexts = append(g.contexts, c)
	g.addresses.add(m.Self.CometHost)
	g.recall(c)
	return nil
}

// Close gives back what the guest has open. Nothing of it may be running.
func (g *Guest) Close() error { return g.machine.Close() }

// Plan asks a head and says what Once would do. It changes nothing.
func (g *Guest) Plan(ctx context.Context) (Status, error) {
	err := g.ask(ctx)
	return g.report(g.runner.Plan(ctx)), errors.Join(g.headed(), err)
}

// Once asks a head, makes one pass, and waits for what it has started. What fails stops nothing else; the error joins all that did.
// With no head to be heard, what was known last is applied. Where Clean is at work, or was since New, nothing is done, and the error
// matches ErrCleaning.
func (g *Guest) Once(ctx context.Context) (st Status, err error) {
	leave, err := stay(g.machine, g.cleaned) // so that nothing is kept after Clean
	if err != nil {
		return g.report(nil), err
	}
	defer func() { err = errors.Join(err, leave()) }()
	asked := g.ask(ctx)
	st, err = g.pass(ctx, g.runner.Apply, 0)
	if err == nil {
		err = g.runner.Wait(ctx)
	}
	g.remember(true)
	return st, errors.Join(g.headed(), asked, err, st.Err())
}

// headed is an error where the user data should name some.
func (g *Guest) headed() error {
	if g.headless {
		return ErrHeadless
	}
	return nil
}

// ask asks a head of each context. What one answers that shows nothing of this VM is an error that matches comet.ErrNotFound.
func (g *Guest) ask(ctx context.Context) error {
	errs := make([]error, len(g.contexts))
	var asking sync.WaitGroup
	for i, c := range g.contexts {
		asking.Go(func() {
			if errs[i] = c.Ask(ctx); errs[i] == nil {
				errs[i] = c.Invisible()
			}
		})
	}
	asking.Wait()
	return errors.Join(errs...)
}

// pass lets all modules do what there is to do. The next pass comes after so long; none does where it is zero.
func (g *Guest) pass(ctx context.Context, apply func(context.Context) ([]frame.Report, error), next time.Duration) (Status, error) {
	g.answer, g.order.asked = answer{}, false
	reports, err := apply(ctx)
	st := g.report(reports)
	for i, m := range st.Modules {
		if m.State == StateFailed && m.Error != "" && m.Retry.IsZero() && next > 0 {
			st.Modules[i].Retry = st.At.Add(next)
		}
	}
	if err == nil {
		g.mu.Lock()
		g.status = st
		g.mu.Unlock()
	}
	return st, err
}

// Status says how things were after the last pass.
func (g *Guest) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status
}

// Hosts returns the other VMs whose address is known, by name.
func (g *Guest) Hosts() ([]scope.Host, error) { return g.directory.Hosts() }

// folderName makes a name that is safe as that of a folder.
func folderName(name string) string {
	out := []rune(name)
	for i, r := range out {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' || r == '.' && i > 0) {
			out[i] = '_'
		}
	}
	if len(out) == 0 {
		return "instance"
	}
	return fmt.Sprintf("%.100s", string(out))
}
