package am_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) {
	headtest.Main()
	goleak.VerifyTestMain(m)
}

// load returns a VM of the slice in testdata, with tokens, and what is to be put down for it.
func load(t *testing.T, hostName string) (orca.Unit, am.Families) {
	t.Helper()
	p := properties(t, hostName)
	unit, err := orca.NewUnit(p)
	require.NoError(t, err)
	unit.Tokens = scope.NewTokens()
	families, err := am.Generate(p)
	require.NoError(t, err)
	return unit, families
}

// seen returns what the unit's read token shows, values by family.
func seen(t *testing.T, client *comet.Client, unit orca.Unit) map[string]string {
	t.Helper()
	entries, err := client.List(t.Context(), unit.SliceID, scope.Family{}, unit.Tokens.Read)
	require.NoError(t, err)
	values := map[string]string{}
	for _, e := range entries {
		assert.Equal(t, unit.ReservationID, e.Name.Key)
		values[e.Name.Family.String()] = string(e.Value)
	}
	return values
}

// properties are a VM's of the slice in testdata.
func properties(t testing.TB, hostName string) orca.Properties {
	t.Helper()
	p, err := orca.LoadProperties("../../testdata/slice/" + hostName + ".properties")
	require.NoError(t, err)
	return p
}

func quick(more ...comet.Option) []comet.Option {
	return append(more, comet.WithAttemptTimeout(300*time.Millisecond), comet.WithRest(time.Millisecond, time.Millisecond))
}

// noting is a store that notes which families are written.
type noting struct {
	server.Store
	mu       sync.Mutex
	families []scope.Family
}

func (n *noting) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	n.mu.Lock()
	for _, c := range changes {
		n.families = append(n.families, c.Name.Family)
	}
	n.mu.Unlock()
	return n.Store.Apply(ctx, changes...)
}

func TestPublishPutsDownTheFamiliesOfEveryVMScriptsLast(t *testing.T) {
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	note := &noting{Store: store}
	client := comettest.StartOn(t, 1, note).Client()
	paths, err := filepath.Glob("../../testdata/slice/*.families.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			note.families = nil
			unit, families := load(t, strings.TrimSuffix(filepath.Base(path), ".families.json"))
			require.NoError(t, am.Publish(t.Context(), client, unit, families))
			assert.Equal(t, scope.InstanceFamilies(), note.families)
			assert.Equal(t, scope.FamilyScripts, note.families[len(note.families)-1])

			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var want map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(text, &want))
			got := seen(t, client, unit)
			assert.Len(t, got, len(want))
			for family, array := range want {
				var body struct {
					Val string `json:"val_"`
				}
				require.NoError(t, json.Unmarshal([]byte(got[family]), &body), family)
				assert.JSONEq(t, string(array), body.Val, family)
			}
		})
	}
}

func TestPublishReplacesWhatWasThere(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	unit, families := load(t, "master")
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	families.Users = nil
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	got := seen(t, client, unit)
	assert.JSONEq(t, `{"val_":"[]"}`, got["users"])
	assert.Contains(t, got["scripts"], "hello from master")
}

// A head may die between any two writes. A VM never sees scripts before what they need, and a repeat finishes the job.
func TestPublishThatBrokeOffIsFinishedByARepeat(t *testing.T) {
	heads := comettest.Start(t, 1, server.WithoutExtensions())
	for k, family := range scope.InstanceFamilies() {
		unit, families := load(t, "workers-0")
		var writes atomic.Int32
		after := func(a comet.Attempt) {
			if a.Op == "write" && a.Class == comet.ClassOK && int(writes.Add(1)) == k {
				heads.Stop(0)
			}
		}
		if k == 0 {
			heads.Stop(0)
		}
		err := am.Publish(t.Context(), heads.Client(quick(comet.WithObserver(after))...), unit, families)
		require.ErrorIs(t, err, comet.ErrUnavailable)
		assert.ErrorContains(t, err, "publish VM workers-0: ")
		if k > 0 { // else nothing is known of what the head takes, and the five were to go together
			assert.ErrorContains(t, err, "/"+family.String()+"/")
		}
		heads.Restart(0)
		client := heads.Client()
		assert.Len(t, seen(t, client, unit), k)
		require.NoError(t, am.Publish(t.Context(), client, unit, families))
		assert.Len(t, seen(t, client, unit), 5)
	}
}

// Where heads take it, all five are there at once or none is.
func TestPublishIsAllOrNone(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client(quick()...)
	unit, families := load(t, "workers-0")
	theirs := scope.Tokens{Read: unit.Tokens.Read, Write: scope.NewToken()}
	routes := scope.Name{Context: unit.SliceID, Family: scope.FamilyRoutes, Key: unit.ReservationID}
	require.NoError(t, client.Create(t.Context(), routes, theirs, []byte(`{"val_":"[]"}`)))
	err := am.Publish(t.Context(), client, unit, families)
	require.ErrorIs(t, err, comet.ErrUnauthorized)
	assert.ErrorContains(t, err, "/routes/")
	assert.Len(t, seen(t, client, unit), 1)
	require.NoError(t, client.Delete(t.Context(), routes, theirs))
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	assert.Len(t, seen(t, client, unit), 5)
	assert.Equal(t, 1, heads.Calls(0, "writeScope"), "that of the other")
}

func TestPublishGoesOnWithAnotherHead(t *testing.T) {
	heads := comettest.Start(t, 2)
	unit, families := load(t, "workers-1")
	heads.Set(0, comettest.HangAfter().On("writeScope", "writeScopes"))
	heads.Set(1, comettest.StatusAfter(500).On("writeScope", "writeScopes").Times(1))
	require.NoError(t, am.Publish(t.Context(), heads.Client(quick()...), unit, families))
	assert.Len(t, seen(t, heads.Client(), unit), 5)
}

func TestIncompleteUnitsAreRefusedBeforeAnyHeadIsAsked(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	whole, families := load(t, "master")
	for name, tt := range map[string]struct {
		spoil func(*orca.Unit)
		want  string
	}{
		"slice":       {func(u *orca.Unit) { u.SliceID = scope.ContextID{} }, "unit.sliceid is not set"},
		"reservation": {func(u *orca.Unit) { u.ReservationID = scope.Key{} }, "unit.rid is not set"},
		"read token":  {func(u *orca.Unit) { u.Tokens.Read = scope.Token{} }, "the VM has no tokens of its own"},
		"write token": {func(u *orca.Unit) { u.Tokens.Write = scope.Token{} }, "the VM has no tokens of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			unit := whole
			tt.spoil(&unit)
			for _, err := range []error{am.Publish(t.Context(), client, unit, families), removed(am.Remove(t.Context(), client, unit))} {
				require.ErrorIs(t, err, am.ErrIncomplete)
				require.ErrorContains(t, err, "VM master: ")
				require.ErrorContains(t, err, tt.want)
			}
			unit.HostName = ""
			require.NotContains(t, am.Publish(t.Context(), client, unit, families).Error(), "VM :")
		})
	}
	assert.Zero(t, heads.Calls(0, ""))
}

// Tokens, scripts and CHAP secrets stay out of logs and errors, whatever the head does.
func TestFailuresShowNoSecret(t *testing.T) {
	for name, fault := range map[string]comettest.Fault{
		"well":       comettest.Status(200).On("nothing"),
		"refuses":    comettest.BadCertificate(),
		"fails":      comettest.Status(500),
		"hangs":      comettest.Hang(),
		"breaks off": comettest.Cut(-1),
		"is a page":  comettest.Page(404),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			heads := comettest.Start(t, 1)
			client := heads.Client(quick(comet.WithLogger(log))...)
			unit, families := load(t, "master")
			heads.Set(0, fault.On("writeScope", "writeScopes", "deleteScope", "deleteScopes"))
			for _, err := range []error{
				am.Publish(t.Context(), client, unit, families),
				removed(am.Remove(t.Context(), client, unit)),
			} {
				fmt.Fprintf(&out, "%v %+v %#v\n", err, err, err)
			}
			require.NoError(t, client.Close())
			fmt.Fprintf(&out, "%v %+v %#v", unit, unit, userData(t, unit, am.Heads{}))
			require.Contains(t, out.String(), "op=write")
			for _, secret := range []string{
				unit.Tokens.Read.Reveal(), unit.Tokens.Write.Reveal(), "cn49mna8rj1ni6kpa6rg34q9n2", "hello from master",
			} {
				assert.NotContains(t, out.String(), secret)
			}
		})
	}
}
