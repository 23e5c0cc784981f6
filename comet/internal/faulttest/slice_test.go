package faulttest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// motion is a slice under way: what its controller, its aggregate managers and its VMs have done so far. Each step is repeated until it
// is done, as people do, and some are interrupted on their way.
type motion struct {
	t      *testing.T
	dial   func() *comet.Client
	random *rand.Rand
	dir    string
	slice  orca.Slice
	tokens controller.Tokens

	changers int // of the routes of a VM, at the same time
	made     int // VMs so far

	mu  sync.Mutex
	vms map[scope.Key]*vm // that are there
}

// vm is what must be there of a VM.
type vm struct {
	unit   orca.Unit
	put    am.Families
	routes map[string]bool // that were added and not deleted
}

var settings = controller.Settings{Hosts: true, PubKeys: true}

// newMotion is for a slice whose files lie in a folder of its own below dir; where that is empty, in one of the test.
func newMotion(t *testing.T, name, dir string, random *rand.Rand, dial func() *comet.Client) *motion {
	if dir == "" {
		dir = t.TempDir()
	}
	m := &motion{t: t, dial: dial, random: random, dir: filepath.Join(dir, name), vms: map[scope.Key]*vm{}}
	require.NoError(t, os.Mkdir(m.dir, 0o700))
	m.slice = orca.Slice{ID: scope.MustName(name, "f", "k").Context, Groups: []string{"all", "workers"}[:1+random.IntN(2)]}
	return m
}

// until repeats a step until it is done, now and then with hardly any time. What no fault excuses ends the test. However often that is,
// the story goes on in the same way: one number is drawn from it.
func (m *motion) until(story *rand.Rand, what string, step func(context.Context, *comet.Client) error) bool {
	random := rand.New(rand.NewPCG(story.Uint64(), 0))
	client := m.dial()
	defer client.Close()
	for end := time.Now().Add(patience); ; {
		limit := stepTime
		if random.IntN(3) == 0 {
			limit = upTo(random, 150*time.Millisecond) + time.Millisecond
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		err := step(ctx, client)
		cancel()
		switch {
		case err == nil:
			return true
		case errors.Is(err, comet.ErrNotFound), errors.Is(err, comet.ErrInvalid), errors.Is(err, comet.ErrNoWriteToken), errors.Is(err, am.ErrLost):
			return assert.NoError(m.t, err, what)
		case time.Now().After(end):
			return assert.NoError(m.t, err, "%s: not done in %s", what, patience)
		}
		<-time.After(upTo(random, 20*time.Millisecond)) // as who does not hammer
	}
}

// How long a step, and one attempt of it at one head, may take. Only long faults last longer than an attempt: a slow machine is none.
const (
	stepTime        = 10 * time.Second
	stepAttemptTime = 2 * time.Second
)

func (m *motion) tokenFile() string { return filepath.Join(m.dir, "tokens.json") }

// newVM is a VM of the slice.
func (m *motion) newVM() orca.VM {
	n := m.made
	m.made++
	return orca.VM{HostName: fmt.Sprint("w-", n), ReservationID: scope.MustName("x", "f", fmt.Sprintf("%s-r-%d", m.slice.ID, n)).Key}
}

// create creates the slice with some VMs; extend lets some more come. Both come to their end under the same tokens, however often they
// begin.
func (m *motion) create(n int) bool {
	for range n {
		m.slice.VMs = append(m.slice.VMs, m.newVM())
	}
	done := m.until(m.random, "create", func(ctx context.Context, client *comet.Client) error {
		_, err := controller.New(client, settings).Create(ctx, m.tokenFile(), m.slice)
		m.kept()
		return err
	})
	return done && m.generate(m.slice.VMs)
}

func (m *motion) extend(n int) bool {
	var more []orca.VM
	for range n {
		more = append(more, m.newVM())
	}
	return m.extendBy(more...)
}

func (m *motion) extendBy(more ...orca.VM) bool {
	m.slice.VMs = append(m.slice.VMs, more...)
	done := m.until(m.random, "extend", func(ctx context.Context, client *comet.Client) error {
		e, err := controller.New(client, settings).Extend(ctx, m.tokenFile(), m.slice, scope.Token{})
		if err == nil {
			m.same(e.Tokens)
		}
		return err
	})
	return done && m.generate(more)
}

// kept makes sure that the tokens of an attempt that failed are those of the next.
func (m *motion) kept() {
	if tokens, err := controller.LoadTokens(m.tokenFile()); err == nil {
		m.same(tokens)
	}
}

// same makes sure that tokens that were given out once stay.
func (m *motion) same(tokens controller.Tokens) {
	if !m.tokens.Read.IsZero() {
		assert.Equal(m.t, m.tokens.Read, tokens.Read, "another read token for the slice")
	}
	for key, token := range m.tokens.Write {
		assert.Equal(m.t, token, tokens.Write[key], "another write token for VM %s", key)
	}
	m.tokens = tokens
}

// generate lets the aggregate manager put down what VMs need.
func (m *motion) generate(vms []orca.VM) bool {
	members := make([]am.Member, len(vms))
	done := m.until(m.random, "generate", func(ctx context.Context, client *comet.Client) error {
		for i, v := range vms {
			unit := m.unit(v)
			tokens, err := am.OpenTokens(ctx, filepath.Join(m.dir, v.ReservationID.String()+".properties"), unit)
			if err != nil {
				return err
			}
			if before := members[i].Unit.Tokens; !before.Read.IsZero() {
				assert.Equal(m.t, before, tokens, "other tokens for VM %s", v.ReservationID)
			}
			unit.Tokens = tokens
			members[i] = am.Member{Unit: unit, Families: familiesOf(v)}
		}
		var errs []error
		for _, r := range am.PublishSlice(ctx, client, members, am.SliceOptions{}) {
			errs = append(errs, r.Err)
		}
		return errors.Join(errs...)
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range vms {
		m.vms[v.ReservationID] = &vm{unit: members[i].Unit, put: members[i].Families, routes: map[string]bool{}}
	}
	return done
}

func (m *motion) unit(v orca.VM) orca.Unit {
	return orca.Unit{
		Identity: orca.Identity{SliceID: m.slice.ID, ReservationID: v.ReservationID, HostName: v.HostName},
		Slice:    controller.New(nil, settings).Access(m.slice, m.tokens, v),
	}
}

func familiesOf(v orca.VM) am.Families {
	return am.Families{
		Users:   []scope.User{{Login: "root", Sudo: "yes", Keys: scope.KeyText{"ssh-ed25519 AAAA " + v.HostName}}},
		Scripts: []scope.Script{{Name: "hello", Body: scope.Hide("echo hello from " + v.HostName)}},
	}
}

// live lets everybody work at the same time: those who change the routes of each VM, and the VM, which fills in its place-holders.
func (m *motion) live(vms []orca.VM, seed uint64) {
	var all sync.WaitGroup
	for i, listed := range vms {
		m.mu.Lock()
		v := m.vms[listed.ReservationID]
		m.mu.Unlock()
		for who := range m.changers {
			all.Go(func() { m.change(v, rand.New(rand.NewPCG(seed, uint64(3*i+who))), who) })
		}
		all.Go(func() { m.report(v, rand.New(rand.NewPCG(seed, uint64(3*i+2)))) })
	}
	all.Wait()
}

func (m *motion) change(v *vm, random *rand.Rand, who int) {
	for i := range 3 {
		route := scope.Route{Network: fmt.Sprintf("10.%d.%d.0/24", who, i), NextHop: "10.0.0.1"}
		added := m.until(random, "add", func(ctx context.Context, client *comet.Client) error {
			_, err := am.Add(ctx, client, v.unit, route, 0)
			return err
		})
		if added && random.IntN(2) == 0 {
			added = !m.until(random, "delete an element", func(ctx context.Context, client *comet.Client) error {
				_, err := am.Delete(ctx, client, v.unit, scope.FamilyRoutes, route.ElementKey(), 0)
				return err
			})
		}
		m.mu.Lock()
		v.routes[route.Network] = added
		m.mu.Unlock()
	}
}

// report fills in the place-holders as the VM itself does.
func (m *motion) report(v *vm, random *rand.Rand) {
	for _, name := range m.placeHolders(v.unit.ReservationID) {
		m.until(random, "report", func(ctx context.Context, client *comet.Client) error {
			if strings.HasPrefix(name.Family.String(), "hosts") {
				return comet.Put(ctx, client, name, v.unit.Slice.Tokens, scope.Host{HostName: v.unit.HostName, IP: address})
			}
			return client.Update(ctx, name, v.unit.Slice.Tokens, func(l *scope.List) error {
				scope.Remove[scope.PubKey](l, "")
				scope.Put(l, scope.PubKey{PublicKey: keyOf(v)})
				return nil
			})
		})
	}
}

const address = "10.0.0.7"

func keyOf(v *vm) string { return "ssh-ed25519 AAAA root@" + v.unit.HostName + "\n" }

func (m *motion) placeHolders(key scope.Key) (names []scope.Name) {
	for _, group := range m.slice.Groups {
		for _, kind := range []string{"hosts", "pubkeys"} {
			names = append(names, scope.MustName(m.slice.ID.String(), kind+group, key.String()))
		}
	}
	return names
}

// withdraw lets a VM leave the slice that goes on.
func (m *motion) withdraw(key scope.Key) {
	v := m.vms[key]
	gone := m.until(m.random, "withdraw", func(ctx context.Context, client *comet.Client) error {
		_, err := controller.New(client, settings).Withdraw(ctx, m.tokenFile(), key)
		return err
	}) && m.remove(v)
	if gone {
		m.slice.VMs = slices.DeleteFunc(m.slice.VMs, func(v orca.VM) bool { return v.ReservationID == key })
		delete(m.vms, key)
	}
}

// any is one of the VMs.
func (m *motion) any() orca.VM { return m.slice.VMs[m.random.IntN(len(m.slice.VMs))] }

// remove lets the aggregate manager take away a VM.
func (m *motion) remove(v *vm) bool {
	fromSlice := m.random.IntN(2) == 0
	return m.until(m.random, "remove", func(ctx context.Context, client *comet.Client) error {
		_, err := am.Remove(ctx, client, v.unit)
		if err == nil && fromSlice {
			_, err = am.RemoveFromSlice(ctx, client, v.unit)
		}
		return err
	})
}

// delete ends the slice, by the tokens that are in the file.
func (m *motion) delete() {
	m.until(m.random, "delete", func(ctx context.Context, client *comet.Client) error {
		m.kept()
		_, err := controller.New(client, settings).Delete(ctx, m.tokenFile())
		return err
	})
	for key, v := range m.vms {
		if m.remove(v) {
			delete(m.vms, key)
		}
	}
}
