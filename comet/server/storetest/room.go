package storetest

import (
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func testRoom(s *store) {
	limited := func(c server.Change) server.Change {
		c.Room = 3
		return c
	}
	a, b, c, d := at("f", "a"), at("f", "b"), at("g", "c"), at("g", "d")
	s.applied(write(a, alice, "1")) // counted though nobody asked then
	s.refused(server.ErrFull, 2, limited(write(b, alice, "1")), limited(write(c, alice, "1")), limited(write(d, alice, "1")))
	s.applied(limited(write(b, alice, "1")))
	s.applied(limited(write(c, alice, "1")))
	s.refused(server.ErrFull, 0, limited(write(d, alice, "1")))
	require.True(s, s.applied(limited(write(d, bob, "1"))).Created, "what another token shows does not count")
	elsewhere := scope.MustName("other slice", "f", "a")
	require.True(s, s.applied(limited(write(elsewhere, alice, "1"))).Created, "nor does another context")

	require.True(s, s.applied(limited(write(a, alice, "2"))).Changed, "what is there may change")
	s.refused(server.ErrMayNotCreate, 0, limited(modify(d, alice, "1"))) // who may not create learns nothing of the room
	s.applied(write(d, alice, "1"))                                      // another head has no limit
	s.refused(server.ErrFull, 0, limited(write(at("f", "e"), alice, "1")))
	s.applied(remove(a, alice))
	s.refused(server.ErrFull, 0, limited(write(a, alice, "1")))
	_, err := s.s.Apply(s.Context(), limited(remove(b, alice)), limited(write(a, alice, "1")))
	require.NoError(s, err, "a batch may make room for itself")
	require.Equal(s, []string{"f/a=1", "g/c=1", "g/d=1"}, s.list(name.Context, alice.Read, scope.Family{}))
}
