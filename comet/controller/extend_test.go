package controller_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// standing creates the slice with its first VM alone, and returns the path of its token file.
func standing(t *testing.T, heads *comettest.Heads, s orca.Slice) (controller.Tokens, string) {
	t.Helper()
	s.VMs = s.VMs[:1]
	path := filepath.Join(t.TempDir(), "tokens.json")
	done, err := controller.New(heads.Client(), both).Create(t.Context(), path, s)
	require.NoError(t, err)
	return done.Tokens, path
}

func TestExtendPutsFurtherVMsUnderTheSameReadToken(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, path := standing(t, heads, s)
	before := report(t, heads, s, tokens, s.VMs[0])
	c := controller.New(heads.Client(), both)
	done, err := c.Extend(t.Context(), path, s, scope.Token{})
	require.NoError(t, err)
	assert.Equal(t, [2]int{4, 2}, counts(done))
	assert.Equal(t, path, done.From)
	assert.Equal(t, tokens.Read, done.Tokens.Read)
	assert.Equal(t, tokens.Of(s.VMs[0].ReservationID), done.Tokens.Of(s.VMs[0].ReservationID))
	all := seen(t, heads.Client(), s, tokens)
	assert.Len(t, all, 6)
	assert.Subset(t, all, before, "what a VM has filled in is never blanked")
	saved, err := controller.LoadTokens(path)
	require.NoError(t, err)
	assert.Equal(t, done.Tokens, saved)
	only := s
	only.VMs = s.VMs[2:]
	done, err = c.Extend(t.Context(), path, only, tokens.Read)
	require.NoError(t, err)
	assert.Equal(t, [2]int{0, 2}, counts(done), "only what comes to it may be named, and it may be repeated")
}

func TestExtendFindsTheReadToken(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, _ := standing(t, heads, s)
	c := controller.New(heads.Client(), both)
	path := filepath.Join(t.TempDir(), "other.json")
	further := s
	further.VMs = s.VMs[1:2]

	_, err := c.Extend(t.Context(), path, further, scope.Token{})
	require.ErrorIs(t, err, controller.ErrNoReadToken)
	assert.NoFileExists(t, path)

	done, err := c.Extend(t.Context(), path, further, tokens.Read)
	require.NoError(t, err)
	assert.Equal(t, "given", done.From)

	properties := filepath.Join(t.TempDir(), "first.properties")
	require.NoError(t, orca.SaveProperties(properties, c.Access(s, tokens, s.VMs[0]).Properties()...))
	whole := s
	whole.VMs = []orca.VM{s.VMs[0], s.VMs[2]}
	whole.VMs[0].Properties, whole.VMs[1].Properties = properties, filepath.Join(t.TempDir(), "yet to come.properties")
	path = filepath.Join(t.TempDir(), "third.json")
	done, err = c.Extend(t.Context(), path, whole, scope.Token{})
	require.NoError(t, err)
	assert.Equal(t, properties, done.From)
	assert.Equal(t, tokens.Of(s.VMs[0].ReservationID), done.Tokens.Of(s.VMs[0].ReservationID), "with the write token that is in there")
	assert.Len(t, seen(t, heads.Client(), s, tokens), 6)
}

func TestExtendRefusesTokensThatDoNotFit(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, path := standing(t, heads, s)
	c := controller.New(heads.Client(), both)
	elsewhere := filepath.Join(t.TempDir(), "new.json")
	foreign := func(list ...orca.KeyValue) orca.Slice {
		file := filepath.Join(t.TempDir(), "vm.properties")
		require.NoError(t, orca.SaveProperties(file, list...))
		one := s
		one.VMs = []orca.VM{s.VMs[1]}
		one.VMs[0].Properties = file
		return one
	}
	property := func(key, value string) orca.KeyValue { return orca.KeyValue{Key: key, Value: scope.Hide(value)} }
	for _, tt := range []struct {
		name, path string
		s          orca.Slice
		given      scope.Token
		want       string
		is         error
	}{
		{"a wrong read token", elsewhere, s, scope.NewToken(), "nothing stands under its read token", comet.ErrNotFound},
		{"a group that does not stand", path, parse(t, `{"sliceId":"`+s.ID.String()+`","groups":["all","red"],"vms":[{"hostName":"x","reservationId":"x"}]}`), scope.Token{}, "the slice has no group red; it has all", nil},
		{"a host name that is taken", path, parse(t, `{"sliceId":"`+s.ID.String()+`","vms":[{"hostName":"WORKERS/0","reservationId":"x"}]}`), scope.Token{}, "VM WORKERS-0 (x): " + s.VMs[0].ReservationID.String() + ", which stands, has that host name already", controller.ErrNameTaken},
		{"a VM that stands, without its write token", elsewhere, s, tokens.Read, "VM workers-0 (" + s.VMs[0].ReservationID.String() + ") stands already", comet.ErrNoWriteToken},
		{"properties of another slice", path, foreign(property("unit.sliceid", "other")), scope.Token{}, "vm.properties: line 1: unit.sliceid: is another slice", nil},
		{"properties of another VM", path, foreign(property("unit.rid", "other")), scope.Token{}, "vm.properties: line 1: unit.rid: is another VM", nil},
		{"properties with another token", path, foreign(property("slice.comet.readToken", "Planted1x")), scope.Token{}, "slice.comet.readToken: is not the one in " + path, nil},
		{"properties with no token", path, foreign(property("slice.comet.readToken", "\x01Planted")), scope.Token{}, "slice.comet.readToken: has a control character", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = c.Extend(t.Context(), tt.path, tt.s, tt.given)
			require.ErrorContains(t, err, tt.want)
			assert.True(t, tt.is == nil || errors.Is(err, tt.is), "%v", err)
			assert.NotContains(t, err.Error(), "Planted")
			assert.NotContains(t, err.Error(), "\n")
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, before, after)
			_, err = os.Stat(elsewhere)
			require.ErrorIs(t, err, fs.ErrNotExist)
			assert.Len(t, seen(t, heads.Client(), s, tokens), 2)
		})
	}
}

func TestExtendKnowsTheGroupsThatStand(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := parse(t, `{"sliceId":"s","groups":["red","blue"],"vms":[{"hostName":"a","reservationId":"r1"}]}`)
	path := filepath.Join(t.TempDir(), "tokens.json")
	c := controller.New(heads.Client(), both)
	first, err := c.Create(t.Context(), path, s)
	require.NoError(t, err)
	further := orca.Slice{ID: s.ID, VMs: []orca.VM{{HostName: "b", ReservationID: scope.MustName("s", "f", "r2").Key}}}
	done, err := c.Extend(t.Context(), path, further, scope.Token{})
	require.NoError(t, err)
	assert.Equal(t, []string{"blue", "red"}, done.Groups)
	assert.Len(t, seen(t, heads.Client(), s, first.Tokens), 8)
}

// A head that is killed at any step of an extend leaves what stood; run again, it is finished.
func TestExtendIsFinishedWhenTheHeadIsBack(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	tokens, path := standing(t, heads, s)
	before := report(t, heads, s, tokens, s.VMs[0])
	heads.Stop(0)
	_, err := controller.New(heads.Client(quick()...), oneByOne).Extend(t.Context(), path, s, scope.Token{})
	require.ErrorIs(t, err, comet.ErrUnavailable)
	heads.Restart(0)
	for k := 1; k < 4; k++ {
		client := afterWrites(heads, k, func() { heads.Stop(0) })
		_, err := controller.New(client, oneByOne).Extend(t.Context(), path, s, scope.Token{})
		require.ErrorIs(t, err, comet.ErrUnavailable)
		heads.Restart(0)
		assert.Subset(t, seen(t, heads.Client(), s, tokens), before)

		c := controller.New(heads.Client(), both)
		done, err := c.Extend(t.Context(), path, s, scope.Token{})
		require.NoError(t, err)
		assert.Equal(t, [2]int{4 - k, 2 + k}, counts(done))
		all := seen(t, heads.Client(), s, tokens)
		assert.Len(t, all, 6)
		assert.Subset(t, all, before)
		require.NoError(t, deleted(c.Withdraw(t.Context(), path, s.VMs[1].ReservationID, s.VMs[2].ReservationID)))
	}
}
