package faulttest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/internal/faulttest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// site is where a slice lives.
type site struct {
	heads   *comettest.Heads // of the controller and the aggregate manager
	liars   *comettest.Heads // of the guests, on the same store; now and then they say what is not so
	store   func() server.Store
	program string              // of guests that are processes of their own; empty: none are
	disk    func(folder string) // puts a small one there for a VM, which becomes full; nil: none has one
}

// fleet is the machines of a slice.
type fleet struct {
	site
	t       *testing.T
	random  *rand.Rand
	motion  *motion
	told    am.Heads // of the guests
	parts   []faulttest.Part
	files   *watchFiles
	stop    func() // looking at files
	octet   byte   // of the last address
	secrets []string
	logs    []string // of all machines

	mu       sync.Mutex
	machines map[string]*machine
}

func newFleet(t *testing.T, s *faulttest.Schedule, on site) *fleet {
	f := &fleet{site: on, t: t, random: s.Rand("fleet"), machines: map[string]*machine{}}
	urls, networks := proxies(t, f.heads, false)
	guestURLs, guestNetworks := proxies(t, f.liars, false)
	f.told = am.Heads{List: guestURLs, CACert: f.liars.Authority().Certificate().Raw}
	identity := faulttest.NewIdentity(f.heads)
	f.motion = newMotion(t, "slice", "", s.Rand("motion"), func() *comet.Client {
		c, err := comet.New(urls, nil, comet.WithTrust(identity), comet.WithAttemptTimeout(stepAttemptTime), comet.WithRest(5*time.Millisecond, 50*time.Millisecond))
		if err != nil {
			panic(err) // nothing about it is drawn
		}
		return c
	})
	f.parts = slices.Concat(faulttest.HeadParts(f.heads), networks, lies(f.liars), guestNetworks, []faulttest.Part{identity.Part()})
	f.files = &watchFiles{t: t, truth: newTruth()}
	f.stop = f.files.start()
	return f
}

// lies are heads that also answer as if nothing were there, or as if nobody may see it.
func lies(heads *comettest.Heads) []faulttest.Part {
	parts := faulttest.HeadParts(heads)
	for i := range parts {
		for name, fault := range map[string]comettest.Fault{
			"shows nothing":          comettest.Empty(),
			"shows nothing in lists": comettest.Empty().On("enumerateScope"),
			"shows no changes":       comettest.Empty().On("watchScope"),
			"refuses":                comettest.Status(403),
			"is a page of a proxy":   comettest.Page(200),
			"is busy":                comettest.Busy(1).Times(2),
		} {
			parts[i].Name = fmt.Sprint("guests' head ", i)
			parts[i].Faults = append(parts[i].Faults, faulttest.Fault{Name: name, Strike: func() { heads.Set(i, fault) }, Mend: func() { heads.Set(i) }})
		}
		slices.SortFunc(parts[i].Faults, func(a, b faulttest.Fault) int { return strings.Compare(a.Name, b.Name) }) // a seed draws the same
	}
	return parts
}

// part is the guests, which end and come back.
func (f *fleet) part() faulttest.Part {
	random := rand.New(rand.NewPCG(f.random.Uint64(), 0))
	var struck *machine
	back := func() {
		if struck != nil {
			struck.start()
		}
	}
	fault := func(name string, of func(*machine) bool, strike func(*machine), mend func()) faulttest.Fault {
		return faulttest.Fault{Name: name, Mend: mend, Strike: func() {
			if struck = f.one(random, of); struck != nil {
				strike(struck)
			}
		}}
	}
	any, nothing := func(*machine) bool { return true }, func() {}
	faults := []faulttest.Fault{
		fault("is stopped", any, (*machine).stop, back),
		fault("is stopped, and its clock set ahead", any, func(m *machine) { m.stop(); m.setClock(upTo(random, mostWrong)) }, back),
		fault("is stopped, and its clock set back", any, func(m *machine) { m.stop(); m.setClock(-upTo(random, mostWrong)) }, back),
	}
	if f.program != "" {
		faults = append(faults,
			fault("is killed", (*machine).isProcess, (*machine).crash, back),
			fault("is killed and started again", (*machine).isProcess, func(m *machine) { m.crash(); m.start() }, nothing))
	}
	if f.disk != nil { // is what is tried then
		full := fault("has a full disk", any, (*machine).fill, func() {
			if struck != nil {
				struck.clear()
			}
		})
		full.Lasts = faulttest.Variable
		faults = append(faults[:1], full, full)
	}
	return faulttest.Part{Name: "a guest", Faults: faults}
}

// mostWrong is how much a VM's clock is set.
const mostWrong = 10 * time.Hour

// one draws a machine of some kind; nil where none is there.
func (f *fleet) one(random *rand.Rand, of func(*machine) bool) *machine {
	all := f.all()
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return !of(all[name]) })
	if len(names) == 0 {
		return nil
	}
	return all[names[random.IntN(len(names))]]
}

// pause lets the guests do something.
func (f *fleet) pause() { <-time.After(upTo(f.random, 200*time.Millisecond)) }

// begin creates the slice.
func (f *fleet) begin() bool { return f.motion.create(3+f.random.IntN(2)) && f.boot() }

// extend lets more VMs join.
func (f *fleet) extend() bool { return f.motion.extend(1+f.random.IntN(2)) && f.boot() }

// boot boots the VMs of the slice that are not there yet.
func (f *fleet) boot() bool {
	for _, listed := range f.motion.slice.VMs {
		if f.all()[listed.HostName] == nil {
			f.bootVM(listed)
		}
	}
	return true
}

func (f *fleet) bootVM(listed orca.VM) {
	unit := f.motion.vms[listed.ReservationID].unit
	self, err := am.UserData(unit, f.told)
	require.NoError(f.t, err)
	program := ""
	if coin := f.random.IntN(2); coin == 0 || !slices.ContainsFunc(slices.Collect(maps.Values(f.all())), (*machine).isProcess) {
		program = f.program // at least one is always there that can be killed
	}
	m := newMachine(f.t, self, program)
	m.address.Store(f.address())
	if f.disk != nil {
		m.volume = filepath.Join(m.dir, "disk")
		require.NoError(f.t, os.Mkdir(m.volume, 0o700))
		f.disk(m.volume)
	}
	f.install(m)
	f.secrets = append(f.secrets, unit.Tokens.Read.Reveal(), unit.Tokens.Write.Reveal(), unit.Slice.Tokens.Read.Reveal(), unit.Slice.Tokens.Write.Reveal())
	f.mu.Lock()
	f.machines[m.name()] = m
	f.mu.Unlock()
	m.start()
}

// install gives a machine a new disk, and says what may be said of it.
func (f *fleet) install(m *machine) {
	m.install()
	f.files.truth.add(hostLine(m), m.name())
	f.files.truth.add(knownHostLine(m), m.name())
	f.files.add(m)
}

func (f *fleet) address() *netip.Addr {
	f.octet++
	a := netip.AddrFrom4([4]byte{10, 0, 0, f.octet})
	return &a
}

// any is a machine that is there.
func (f *fleet) any() *machine {
	return f.one(f.random, func(*machine) bool { return true })
}

// move gives a machine another address.
func (f *fleet) move() bool {
	m, to := f.any(), f.address()
	f.files.truth.add(to.String()+"\t"+m.name(), m.name())
	m.move(*to)
	return true
}

// rebuild makes a machine anew under its old name: with other keys, and without what it knew.
func (f *fleet) rebuild() bool {
	m := f.any()
	m.crash()
	f.install(m)
	m.start()
	return true
}

// withdraw lets a machine leave.
func (f *fleet) withdraw() bool {
	f.leave(f.any())
	return !f.t.Failed()
}

func (f *fleet) leave(m *machine) {
	f.files.truth.leaves(m.name())
	m.leave()
	f.mu.Lock()
	delete(f.machines, m.name())
	f.mu.Unlock()
	f.logs = append(f.logs, m.log())
	f.motion.withdraw(m.self.ReservationID)
}

// replace lets a machine leave, and another one come in its place that bears its name.
func (f *fleet) replace() bool {
	m := f.any()
	f.leave(m)
	v := f.motion.newVM()
	v.HostName = m.name()
	return !f.t.Failed() && f.motion.extendBy(v) && f.boot()
}

// converge waits until every machine knows the others.
func (f *fleet) converge() {
	f.startAll()
	all := f.all()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		if !assert.Eventually(f.t, func() bool { return assert.ObjectsAreEqual(wanted(m, all), holds(m)) }, patience, 5*time.Millisecond, "files of %s", name) {
			assert.Equal(f.t, wanted(m, all), holds(m), name)
			f.t.Logf("%s (%q): %+v\n%s", name, m.program, m.status(), tail(m.log()))
		}
	}
}

// check stops the guests and looks at what they leave: once what they miss has been missed twice, there is nothing more to do.
func (f *fleet) check() {
	all := f.all()
	for _, m := range all {
		m.stop()
		assert.NoError(f.t, m.once(f.t.Context()))
	}
	<-time.After(2 * guestEvery)
	for name, m := range all {
		assert.NoError(f.t, m.once(f.t.Context()))
		if !assert.NoError(f.t, m.plan(f.t.Context()), "one more pass on %s", name) {
			f.t.Logf("%s (%q)\n%s", name, m.program, tail(m.log()))
		}
		assert.Empty(f.t, leftovers(f.t, m.disk()), "temporary files on %s", name)
	}
}

// dissolve ends the slice while all guests run. They may learn that others have gone; that they have gone themselves they do not believe.
func (f *fleet) dissolve() {
	all, before := f.all(), map[string]map[string][]string{}
	for name, m := range all {
		before[name] = holds(m)
		f.files.truth.leaves(name)
	}
	f.motion.delete()
	for name, m := range all {
		assert.Eventually(f.t, func() bool { return m.status().Module("hosts").State == guest.StateDoubted }, patience, 5*time.Millisecond, "%s: %+v", name, m.status())
		for file, lines := range holds(m) {
			assert.Subset(f.t, before[name][file], lines, "%s of %s", file, name)
		}
	}
	assert.Empty(f.t, contexts(f.t, f.store()), "slices that are left")
}

// end ends what runs, and looks at what was logged.
func (f *fleet) end() {
	if f.t.Failed() {
		f.t.Logf("what there is: %s", f.listing())
	}
	for name, m := range f.all() {
		m.leave()
		f.logs = append(f.logs, m.log())
		assert.Empty(f.t, readable(f.t, m.disk(), f.secrets), "secrets that everybody on %s may read", name)
	}
	f.stop()
	f.files.look()
	for _, log := range f.logs {
		assert.Empty(f.t, linesWith(f.t, log, append(f.secrets, "PRIVATE KEY", "echo hello from")), "secrets that are logged")
	}
}

// listing is what the slice's token shows, without secrets.
func (f *fleet) listing() (text string) {
	entries, err := f.heads.Client().List(f.t.Context(), f.motion.slice.ID, scope.Family{}, f.motion.tokens.Read)
	for _, e := range entries {
		text += fmt.Sprintf("\n%s %s", e.Name, e.Value)
	}
	return fmt.Sprint(text, err)
}
