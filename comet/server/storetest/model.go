package storetest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// cell is where the model keeps an entry.
type cell struct {
	name scope.Name
	read scope.Token
}

type held struct {
	write    scope.Token
	value    string
	revision uint64
}

// model is what a store should be, without the disk. Each check uses a context of its own in the one store.
type model struct {
	cells    map[cell]held
	revision uint64
}

func (m *model) apply(c server.Change) (server.Result, error) {
	at := cell{c.Name, c.Tokens.Read}
	h, there := m.cells[at]
	switch {
	case there && c.IfAbsent:
		return server.Result{}, server.ErrCondition
	case there && h.write != c.Tokens.Write:
		return server.Result{}, server.ErrWriteToken
	case !there && c.Delete:
		return server.Result{}, server.ErrNoEntry
	case c.IfRevision != 0 && c.IfRevision != h.revision:
		return server.Result{}, server.ErrCondition
	case !there && !c.MayCreate:
		return server.Result{}, server.ErrMayNotCreate
	case there && !c.Delete && h.value == c.Value:
		return server.Result{Revision: h.revision}, nil
	}
	m.revision++
	m.cells[at] = held{c.Tokens.Write, c.Value, m.revision}
	if c.Delete {
		delete(m.cells, at)
	}
	return server.Result{Created: !there, Changed: true, Revision: m.revision}, nil
}

// list gives "family/key=value", in order.
func (m *model) list(read scope.Token) []string {
	lines := map[string]string{}
	for at, h := range m.cells {
		if at.read == read {
			lines[at.name.Family.String()+"/"+at.name.Key.String()] = h.value
		}
	}
	all := []string{}
	for _, n := range slices.Sorted(maps.Keys(lines)) {
		all = append(all, n+"="+lines[n])
	}
	return all
}

func testModel(s *store) {
	contexts := 0
	m := &model{}
	rapid.Check(s.T, func(t *rapid.T) {
		contexts++
		id := scope.MustName(fmt.Sprintf("slice-%d", contexts), "f", "k").Context
		m.cells = map[cell]held{}
		mirrors := map[scope.Token]*mirror{}
		for _, read := range []scope.Token{alice.Read, bob.Read} {
			mirrors[read] = &mirror{s: s, id: id, read: read, revision: m.revision, there: map[string]string{}}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			c := m.drawChange(t, id)
			want, refusal := m.apply(c)
			results, err := s.s.Apply(s.Context(), c)
			require.ErrorIs(t, err, refusal)
			if refusal == nil {
				require.Equal(t, []server.Result{want}, results)
			}
			if rapid.Bool().Draw(t, "look") {
				read := rapid.SampledFrom([]scope.Token{alice.Read, bob.Read}).Draw(t, "at")
				mirrors[read].follow(t)
				require.Equal(t, m.list(read), mirrors[read].list())
			}
		}
		for read, mirror := range mirrors {
			mirror.follow(t)
			require.Equal(t, m.list(read), mirror.list())
			require.Equal(t, m.list(read), s.list(id, read, scope.Family{}))
		}
	})
}

// drawChange draws from few names, tokens and revisions, so that they meet.
func (m *model) drawChange(t *rapid.T, id scope.ContextID) server.Change {
	c := server.Change{
		Name:      scope.MustName(id.String(), rapid.SampledFrom([]string{"f", "g"}).Draw(t, "family"), rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key")),
		Tokens:    scope.Tokens{Read: alice.Read, Write: alice.Write},
		Delete:    rapid.IntRange(0, 3).Draw(t, "delete") == 0,
		MayCreate: rapid.IntRange(0, 3).Draw(t, "may create") > 0,
		Value:     rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "value"),
	}
	if rapid.IntRange(0, 3).Draw(t, "read") == 0 {
		c.Tokens.Read = bob.Read
	}
	if rapid.IntRange(0, 3).Draw(t, "write") == 0 {
		c.Tokens.Write = bob.Write
	}
	switch rapid.IntRange(0, 5).Draw(t, "condition") {
	case 0:
		c.IfAbsent = true
	case 1:
		c.IfRevision = m.cells[cell{c.Name, c.Tokens.Read}].revision // 0 where it is absent: no condition
	case 2:
		c.IfRevision = rapid.Uint64Range(1, m.revision+1).Draw(t, "revision")
	}
	return c
}
