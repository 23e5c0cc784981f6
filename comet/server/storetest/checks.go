package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

var (
	alice = scope.Tokens{Read: scope.MustToken("alice-Reads-1"), Write: scope.MustToken("alice-Writes-1")}
	bob   = scope.Tokens{Read: scope.MustToken("bob-Reads-2"), Write: scope.MustToken("bob-Writes-2")}
	name  = scope.MustName("slice", "hostsall", "vm")
)

// store is a store with the checks that the tests have in common.
type store struct {
	*testing.T
	s server.Store
}

func write(n scope.Name, t scope.Tokens, value string) server.Change {
	return server.Change{Name: n, Tokens: t, Value: value, MayCreate: true}
}

func modify(n scope.Name, t scope.Tokens, value string) server.Change {
	return server.Change{Name: n, Tokens: t, Value: value}
}

func remove(n scope.Name, t scope.Tokens) server.Change {
	return server.Change{Name: n, Tokens: t, Delete: true}
}

// applied makes one change that must succeed.
func (s *store) applied(c server.Change) server.Result {
	s.Helper()
	results, err := s.s.Apply(s.Context(), c)
	require.NoError(s, err)
	require.Len(s, results, 1)
	return results[0]
}

// refused makes changes of which the one at index must be refused with the reason.
func (s *store) refused(reason error, index int, changes ...server.Change) {
	s.Helper()
	before := s.revision()
	results, err := s.s.Apply(s.Context(), changes...)
	var refusal *server.ChangeError
	require.ErrorAs(s, err, &refusal)
	require.ErrorIs(s, err, reason)
	require.Equal(s, index, refusal.Index)
	require.Empty(s, results)
	require.Equal(s, before, s.revision())
}

func (s *store) revision() uint64 {
	s.Helper()
	l, err := s.s.List(s.Context(), name.Context, alice.Read, scope.Family{})
	require.NoError(s, err)
	return l.Revision
}

// read returns an entry that must be there.
func (s *store) read(n scope.Name, read scope.Token) server.Entry {
	s.Helper()
	e, found, err := s.s.Read(s.Context(), n, read)
	require.NoError(s, err)
	require.True(s, found, n)
	return e
}

// holds requires that a read gives the value.
func (s *store) holds(n scope.Name, read scope.Token, value string) server.Entry {
	s.Helper()
	e := s.read(n, read)
	require.Equal(s, value, e.Value)
	require.Equal(s, n, e.Name)
	return e
}

func (s *store) absent(n scope.Name, read scope.Token) {
	s.Helper()
	e, found, err := s.s.Read(s.Context(), n, read)
	require.NoError(s, err)
	require.False(s, found, n)
	require.Zero(s, e)
}

// list gives "family/key=value" of what is listed.
func (s *store) list(id scope.ContextID, read scope.Token, f scope.Family) []string {
	s.Helper()
	l, err := s.s.List(s.Context(), id, read, f)
	require.NoError(s, err)
	lines := []string{}
	for _, e := range l.Entries {
		require.Equal(s, id, e.Name.Context)
		require.LessOrEqual(s, e.Revision, l.Revision)
		lines = append(lines, e.Name.Family.String()+"/"+e.Name.Key.String()+"="+e.Value)
	}
	return lines
}
