package storetest

import (
	"math"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// since asks what changed under alice's token in the context of name, and gives lines such as "family/key=value" and
// "family/key removed", and the revision for the next time. It must not be the whole state.
func (s *store) since(revision uint64, families ...scope.Family) ([]string, uint64) {
	s.Helper()
	c := s.changes(alice.Read, revision, families...)
	require.False(s, c.Whole)
	return lines(c), c.Revision
}

func (s *store) changes(read scope.Token, revision uint64, families ...scope.Family) server.Changes {
	s.Helper()
	c, err := s.s.Since(s.Context(), name.Context, read, revision, families...)
	require.NoError(s, err)
	require.Equal(s, len(s.list(name.Context, read, scope.Family{})) == 0, c.Empty)
	for _, e := range c.Entries {
		require.LessOrEqual(s, e.Revision, c.Revision)
		require.Equal(s, s.read(e.Name, read), e)
	}
	return c
}

func lines(c server.Changes) []string {
	all := []string{}
	for _, e := range c.Entries {
		all = append(all, e.Name.Family.String()+"/"+e.Name.Key.String()+"="+e.Value)
	}
	for _, n := range c.Removed {
		all = append(all, n.Family.String()+"/"+n.Key.String()+" removed")
	}
	return all
}

// at names an entry in the context of name.
func at(family, key string) scope.Name { return scope.MustName(name.Context.String(), family, key) }

// begin makes a change that the tests do not look at, and gives its revision.
func (s *store) begin() uint64 {
	s.Helper()
	return s.applied(write(scope.MustName("elsewhere", "f", "k"), bob, "x")).Revision
}

func testSince(s *store) {
	r0 := s.begin()
	got, rev := s.since(r0)
	require.Empty(s, got)
	require.Equal(s, r0, rev)

	for _, key := range []string{"b", "aaa", "a", "é"} {
		s.applied(write(at("g", key), alice, "1"))
	}
	s.applied(write(at("ff", "z"), alice, "1"))
	got, r1 := s.since(r0)
	require.Equal(s, []string{"ff/z=1", "g/a=1", "g/aaa=1", "g/b=1", "g/é=1"}, got)
	require.Equal(s, s.revision(), r1)
	got, rev = s.since(r1)
	require.Empty(s, got)
	require.Equal(s, r1, rev)

	s.applied(modify(at("g", "b"), alice, "2"))
	s.applied(modify(at("g", "b"), alice, "3"))
	s.applied(write(at("g", "a"), alice, "1")) // nothing new
	got, r2 := s.since(r1)
	require.Equal(s, []string{"g/b=3"}, got)
	got, _ = s.since(r2 - 1)
	require.Equal(s, []string{"g/b=3"}, got)
	got, _ = s.since(r0)
	require.Equal(s, []string{"ff/z=1", "g/a=1", "g/aaa=1", "g/b=3", "g/é=1"}, got)
	got, _ = s.since(r2)
	require.Empty(s, got)
}

func testSinceRemoved(s *store) {
	r0 := s.begin()
	s.applied(write(at("f", "a"), alice, "1"))
	s.applied(write(at("f", "b"), alice, "1"))
	_, r1 := s.since(r0)
	s.applied(remove(at("f", "b"), alice))
	got, r2 := s.since(r1)
	require.Equal(s, []string{"f/b removed"}, got)
	got, _ = s.since(r2)
	require.Empty(s, got)

	// What comes back is there, and no longer gone; somebody else may have taken the name.
	s.applied(write(at("f", "b"), scope.Tokens{Read: alice.Read, Write: bob.Write}, "2"))
	got, r3 := s.since(r2)
	require.Equal(s, []string{"f/b=2"}, got)
	got, _ = s.since(r1)
	require.Equal(s, []string{"f/b=2"}, got)

	s.applied(remove(at("f", "b"), scope.Tokens{Read: alice.Read, Write: bob.Write}))
	s.applied(remove(at("f", "a"), alice))
	got, r4 := s.since(r3)
	require.Equal(s, []string{"f/a removed", "f/b removed"}, got)
	got, _ = s.since(r4)
	require.Empty(s, got)

	// Whether what came and went in between is told as removed is the store's choice; that it is there is not.
	s.applied(write(at("f", "c"), alice, "1"))
	s.applied(remove(at("f", "c"), alice))
	require.Empty(s, s.changes(alice.Read, r4).Entries)
}

func testSinceFamilies(s *store) {
	r0 := s.begin()
	for _, f := range []string{"host", "hosts", "hostsall", "pubkeys"} {
		s.applied(write(at(f, "vm"), alice, "1"))
	}
	s.applied(write(at("hosts", "gone"), alice, "1"))
	_, r1 := s.since(r0)
	s.applied(remove(at("hosts", "gone"), alice))
	s.applied(modify(at("pubkeys", "vm"), alice, "2"))
	hosts, keys := scope.MustFamily("hosts"), scope.MustFamily("pubkeys")
	for _, c := range []struct {
		since    uint64
		families []scope.Family
		want     []string
	}{
		{r1, nil, []string{"pubkeys/vm=2", "hosts/gone removed"}},
		{r1, []scope.Family{hosts}, []string{"hosts/gone removed"}},
		{r1, []scope.Family{keys}, []string{"pubkeys/vm=2"}},
		{r1, []scope.Family{keys, hosts, keys}, []string{"pubkeys/vm=2", "hosts/gone removed"}},
		{r1, []scope.Family{scope.MustFamily("host")}, []string{}},
	} {
		got, rev := s.since(c.since, c.families...)
		require.Equal(s, c.want, got)
		require.Equal(s, s.revision(), rev)
	}
	all := s.changes(alice.Read, math.MaxUint64, keys, hosts, keys)
	require.True(s, all.Whole)
	require.Equal(s, []string{"hosts/vm=1", "pubkeys/vm=2"}, lines(all))
}

func testSinceOthers(s *store) {
	r0 := s.begin()
	s.applied(write(name, alice, "hers"))
	s.applied(write(name, bob, "his"))
	s.applied(write(scope.MustName("other slice", "hostsall", "vm"), alice, "elsewhere"))
	got, r1 := s.since(r0)
	require.Equal(s, []string{"hostsall/vm=hers"}, got)
	require.Equal(s, []string{"hostsall/vm=his"}, lines(s.changes(bob.Read, r0)))
	s.applied(remove(name, bob))
	got, _ = s.since(r1)
	require.Empty(s, got)
	require.Equal(s, []string{"hostsall/vm removed"}, lines(s.changes(bob.Read, r1)))
	require.Empty(s, lines(s.changes(alice.Write, r0)))
}

func testSinceBatch(s *store) {
	r0 := s.begin()
	_, err := s.s.Apply(s.Context(), write(at("f", "a"), alice, "1"), write(at("f", "b"), alice, "1"))
	require.NoError(s, err)
	got, r1 := s.since(r0)
	require.Equal(s, []string{"f/a=1", "f/b=1"}, got)
	_, err = s.s.Apply(s.Context(), remove(at("f", "a"), alice), modify(at("f", "b"), alice, "2"), write(at("f", "c"), alice, "1"))
	require.NoError(s, err)
	got, r2 := s.since(r1)
	require.Equal(s, []string{"f/b=2", "f/c=1", "f/a removed"}, got)
	got, _ = s.since(r2)
	require.Empty(s, got)
}

func testSinceUnknown(s *store) {
	s.begin()
	for _, future := range []uint64{s.revision() + 1, math.MaxUint64} {
		c := s.changes(alice.Read, future)
		require.True(s, c.Whole, "before anything is there")
		require.Empty(s, lines(c))
		require.Equal(s, s.revision(), c.Revision)
	}
	s.applied(write(at("f", "a"), alice, "1"))
	s.applied(write(at("f", "b"), alice, "1"))
	s.applied(remove(at("f", "a"), alice))
	s.applied(write(at("f", "b"), bob, "his"))
	for _, future := range []uint64{s.revision() + 1, math.MaxUint64} {
		c := s.changes(alice.Read, future)
		require.True(s, c.Whole)
		require.Equal(s, []string{"f/b=1"}, lines(c), "what is gone is not there, and not told")
		require.Equal(s, s.revision(), c.Revision)
	}
}
