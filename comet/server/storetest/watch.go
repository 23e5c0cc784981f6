package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func (s *store) watch(id scope.ContextID, read scope.Token, families ...scope.Family) <-chan struct{} {
	s.Helper()
	c, err := s.s.Watch(s.Context(), id, read, families...)
	require.NoError(s, err)
	return c
}

// woken takes the value that must come.
func (s *store) woken(c <-chan struct{}) {
	s.Helper()
	select {
	case _, open := <-c:
		require.True(s, open, "closed")
	case <-time.After(patience):
		require.Fail(s, "was not woken")
	}
}

// quiet requires that there is no value now.
func (s *store) quiet(c <-chan struct{}, what string) {
	s.Helper()
	select {
	case <-c:
		require.Fail(s, "woken for nothing", what)
	default:
	}
}

func (s *store) ended(c <-chan struct{}) {
	s.Helper()
	for {
		select {
		case _, open := <-c:
			if !open {
				return
			}
		case <-time.After(patience):
			require.Fail(s, "was not closed")
		}
	}
}

func testWatch(s *store) {
	other := scope.MustName("other slice", "hostsall", "vm")
	hosts, keys := name.Family, scope.MustFamily("pubkeysall")
	all := s.watch(name.Context, alice.Read)
	one := s.watch(name.Context, alice.Read, hosts)
	two := s.watch(name.Context, alice.Read, keys, hosts)
	strangers := map[string]<-chan struct{}{
		"another family":  s.watch(name.Context, alice.Read, keys),
		"another token":   s.watch(name.Context, bob.Read),
		"another context": s.watch(other.Context, alice.Read, hosts),
	}
	for _, c := range []server.Change{write(name, alice, "one"), modify(name, alice, "two"), remove(name, alice), write(name, alice, "two")} {
		s.applied(c)
		for _, c := range []<-chan struct{}{all, one, two} {
			s.woken(c)
		}
		for what, c := range strangers {
			s.quiet(c, what)
		}
	}
	for what, c := range map[string]server.Change{
		"another family":  write(at("pubkeysall", "vm"), alice, "one"),
		"another token":   write(name, bob, "one"),
		"another context": write(other, alice, "one"),
	} {
		s.applied(c)
		s.woken(strangers[what])
		s.quiet(one, what)
	}
	s.woken(all) // the other family
	s.woken(two)
	_, err := s.s.Apply(s.Context(), write(at("f", "a"), alice, "1"), write(at("pubkeysall", "b"), alice, "1"))
	require.NoError(s, err)
	s.woken(all)
	s.woken(two)
	s.quiet(one, "a batch in other families")
}

func testWatchOften(s *store) {
	c := s.watch(name.Context, alice.Read)
	for i := range 20 {
		s.applied(write(name, alice, fmt.Sprint(i)))
	}
	// However many values they made, a look after each that was taken finds the last change.
	for rev := uint64(0); ; {
		s.woken(c)
		changes := s.changes(alice.Read, rev)
		if rev = changes.Revision; slices.Equal([]string{"hostsall/vm=19"}, lines(changes)) {
			return
		}
	}
}

func testWatchSame(s *store) {
	c := s.watch(name.Context, alice.Read, name.Family)
	marker := s.watch(name.Context, alice.Read, scope.MustFamily("marker"))
	s.applied(write(name, alice, "one"))
	s.woken(c) // not later: a watch may be woken for what was there just before it
	s.applied(write(name, alice, "one"))
	s.refused(server.ErrNoEntry, 0, remove(at("hostsall", "absent"), alice))
	s.refused(server.ErrWriteToken, 0, write(name, scope.Tokens{Read: alice.Read, Write: bob.Write}, "two"))
	s.applied(write(at("marker", "m"), alice, "x"))
	s.woken(marker) // and so whatever came before it
	s.quiet(c, "nothing changed")
}

func testWatchEnds(s *store) {
	ctx, cancel := context.WithCancel(s.Context())
	c, err := s.s.Watch(ctx, name.Context, alice.Read)
	require.NoError(s, err)
	stays := s.watch(name.Context, alice.Read, name.Family)
	cancel()
	s.ended(c)
	s.applied(write(name, alice, "one"))
	s.woken(stays)
	require.NoError(s, s.s.Close())
	s.ended(stays)
}

// mirror follows what one token shows in a context by what changed since it looked last.
type mirror struct {
	s        *store
	id       scope.ContextID
	read     scope.Token
	revision uint64
	there    map[string]string // "family/key" to value
}

func (m *mirror) follow(t assert.TestingT) {
	c, err := m.s.s.Since(m.s.Context(), m.id, m.read, m.revision)
	if !assert.NoError(t, err) {
		return
	}
	assert.GreaterOrEqual(t, c.Revision, m.revision)
	if c.Whole {
		clear(m.there)
	}
	for _, n := range c.Removed {
		delete(m.there, n.Family.String()+"/"+n.Key.String())
	}
	for _, e := range c.Entries {
		m.there[e.Name.Family.String()+"/"+e.Name.Key.String()] = e.Value
	}
	m.revision = c.Revision
}

func (m *mirror) list() []string {
	all := []string{}
	for _, n := range slices.Sorted(maps.Keys(m.there)) {
		all = append(all, n+"="+m.there[n])
	}
	return all
}

// Watchers that look only when they are woken see the last of what many writers do.
func testFollow(s *store) {
	const writers, writes, watchers = 8, 40, 4
	var writing, watching sync.WaitGroup
	for range watchers {
		changed := s.watch(name.Context, alice.Read)
		watching.Go(func() {
			m := &mirror{s: s, id: name.Context, read: alice.Read, there: map[string]string{}}
			for m.there["f/last"] == "" {
				select {
				case <-changed:
				case <-time.After(patience):
					assert.Fail(s, "was not woken for the last change")
					return
				}
				m.follow(s)
			}
			assert.Equal(s, s.list(name.Context, alice.Read, scope.Family{}), m.list())
		})
	}
	for w := range writers {
		writing.Go(func() {
			for i := range writes {
				n := at("f", fmt.Sprintf("%d-%d", w, i%5))
				_, err := s.s.Apply(s.Context(), write(n, alice, fmt.Sprint(i)))
				assert.NoError(s, err)
				if i%3 == 0 {
					_, err := s.s.Apply(s.Context(), remove(n, alice))
					assert.NoError(s, err)
				}
			}
		})
	}
	writing.Wait()
	s.applied(write(at("f", "last"), alice, "x"))
	watching.Wait()
}
