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
	write scope.Token
	value string
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
	case there && h.write != c.Tokens.Write:
		return server.Result{}, server.ErrWriteToken
	case !there && c.Delete:
		return server.Result{}, server.ErrNoEntry
	case !there && !c.MayCreate:
		return server.Result{}, server.ErrMayNotCreate
	case there && !c.Delete && h.value == c.Value:
		return server.Result{}, nil
	}
	m.revision++
	m.cells[at] = held{c.Tokens.Write, c.Value}
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
	m := &model{cells: map[cell]held{}}
	rapid.Check(s.T, func(t *rapid.T) {
		contexts++
		id := fmt.Sprintf("slice-%d", contexts)
		m.cells = map[cell]held{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			c := drawChange(t, id)
			want, refusal := m.apply(c)
			results, err := s.s.Apply(s.Context(), c)
			require.ErrorIs(t, err, refusal)
			if refusal != nil {
				continue
			}
			require.Len(t, results, 1)
			if !want.Changed {
				want.Revision = results[0].Revision
				require.LessOrEqual(t, want.Revision, m.revision)
			}
			require.Equal(t, want, results[0])
		}
		for _, tokens := range []scope.Tokens{alice, bob} {
			require.Equal(t, m.list(tokens.Read), s.list(scope.MustName(id, "f", "k").Context, tokens.Read, scope.Family{}))
		}
	})
}

// drawChange draws from few names and tokens, so that they meet.
func drawChange(t *rapid.T, id string) server.Change {
	c := server.Change{
		Name:      scope.MustName(id, rapid.SampledFrom([]string{"f", "g"}).Draw(t, "family"), rapid.SampledFrom([]string{"k", "l"}).Draw(t, "key")),
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
	return c
}
