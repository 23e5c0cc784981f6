package storetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
)

func testOwner(s *store) {
	by := func(owner string, c server.Change) server.Change {
		c.Owner = owner
		return c
	}
	const she, he = "CN=she,O=Site", "CN=he,O=Site"
	s.applied(by(she, write(name, alice, "one")))
	s.refused(server.ErrOwner, 0, by(he, remove(name, alice)))
	s.applied(by(he, modify(name, alice, "two"))) // and does not become its owner
	s.applied(modify(name, alice, "three"))
	s.holds(name, alice.Read, "three")
	s.refused(server.ErrOwner, 0, by(he, remove(name, alice)))
	require.Equal(s, []string{"hostsall/vm=three"}, lines(s.changes(alice.Read, 0)))

	wrong := alice
	wrong.Write = bob.Write
	s.refused(server.ErrWriteToken, 0, by(he, remove(name, wrong))) // and learns nothing of the owner
	s.refused(server.ErrWriteToken, 0, by(she, remove(name, wrong)))
	s.applied(by(she, remove(name, alice)))
	s.applied(by(he, write(name, alice, "his"))) // who comes after owns it
	s.refused(server.ErrOwner, 0, by(she, remove(name, alice)))
	s.applied(remove(name, alice)) // where owners do not matter

	s.applied(write(name, alice, "nobody's"))
	s.applied(by(she, modify(name, alice, "still")))
	s.applied(by(he, remove(name, alice)))

	for _, bad := range []string{strings.Repeat("x", server.MaxOwner+1), "CN=\xff"} {
		_, err := s.s.Apply(s.Context(), by(bad, write(name, alice, "")))
		require.ErrorContains(s, err, "the owner is longer than 4096 bytes, or not UTF-8")
	}
	long := "CN=" + strings.Repeat("é", 1000)
	s.applied(by(long, write(name, alice, "")))
	s.holds(name, alice.Read, "")
	s.refused(server.ErrOwner, 0, by(long[:len(long)-2], remove(name, alice)))
	s.applied(by(long, remove(name, alice)))
}
