package guest_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/scope"
)

func sorted(lines ...string) []string {
	slices.Sort(lines)
	return lines
}

func TestAVMLearnsTheOthersAndNotItself(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	b, a := s.peer("1", "b", "10.0.0.3", "all"), s.peer("2", "a", "10.0.0.20", "all")
	s.placeHolders("3", "not-yet", "all")
	r := m.pass()
	assert.Equal(t, hostsBlock("10.0.0.20\ta", "10.0.0.3\tb"), m.file(hosts))
	assert.Equal(t, keysBlock(sorted(a, b)...), m.file(keys))
	assert.Equal(t, report{
		Hosts:   []scope.Host{{HostName: "a", IP: "10.0.0.20"}, {HostName: "b", IP: "10.0.0.3"}},
		Lines:   2,
		Keys:    2,
		Changed: []string{"/etc/hosts", "/root/.ssh/authorized_keys"},
	}, r)
	assert.Empty(t, m.warnings(), "who has not reported yet does nothing wrong")

	s.peer("3", "not-yet", "10.0.0.4", "all")
	s.remove("hostsall", "1")
	s.remove("pubkeysall", "1")
	m.pass()
	assert.Contains(t, m.file(hosts), "10.0.0.3\tb\n", "one answer without it may be wrong")
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.20\ta", "10.0.0.4\tnot-yet"), m.file(hosts))
	assert.NotContains(t, m.file(keys), b, "who left is forgotten")
}

func TestAllGroupsStandInOneBlock(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "a", "b")
	both, a, b := s.peer("1", "both", "10.0.0.2", "a", "b"), s.peer("2", "only-a", "10.0.0.3", "a"), s.peer("3", "only-b", "10.0.0.4", "b")
	m := s.boot(s.userData("own", "own", "a", "b"), "")
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.2\tboth", "10.0.0.3\tonly-a", "10.0.0.4\tonly-b"), m.file(hosts))
	assert.Equal(t, keysBlock(sorted(both, a, b)...), m.file(keys))
}

func TestWhatPeersWroteIsWrittenInOneForm(t *testing.T) {
	for name, tt := range map[string]struct{ hostName, ip, want string }{
		"node group": {"NodeGroup0/1", "10.0.0.2", "10.0.0.2\tnodegroup0-1"},
		"upper case": {"Master", "10.0.0.2", "10.0.0.2\tmaster"},
		"IPv6":       {"six", "2001:DB8:0:0::1", "2001:db8::1\tsix"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			s.peer("1", tt.hostName, tt.ip, "all")
			m.pass()
			assert.Equal(t, hostsBlock(tt.want), m.file(hosts))
		})
	}
}

func TestAPeerThatCallsItselfLikeThisVMIsNotInHosts(t *testing.T) {
	for _, name := range []string{"workers-0", "workers/0", "WORKERS/0"} {
		s := newSlice(t)
		s.placeHolders("own", "workers/0", "all")
		s.peer("1", name, "10.0.0.66", "all")
		s.peer("2", "other", "10.0.0.2", "all")
		m := s.boot(s.userData("own", "workers-0", "all"), "")
		m.pass()
		assert.Equal(t, hostsBlock("10.0.0.2\tother"), m.file(hosts))
	}
}

// Old guests append keys raw: what they leave in COMET may have no newline at its end, or several.
func TestKeysKeepApartHoweverTheyEnd(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	a, b, c := newKey(t, "a"), newKey(t, "b"), newKey(t, "c")
	s.put("pubkeysall", "1", string(scope.Encode(scope.PubKey{PublicKey: a})))
	s.put("pubkeysall", "2", string(scope.Encode(scope.PubKey{PublicKey: b + "\r\n\n"}, scope.PubKey{PublicKey: " " + c + " "})))
	s.put("pubkeysall", "3", string(scope.Encode(scope.PubKey{PublicKey: a + "\n"}))) // the same once more
	m.pass()
	assert.Equal(t, keysBlock(sorted(a, b, c)...), m.file(keys))
	m.pass()
	assert.Equal(t, keysBlock(sorted(a, b, c)...), m.file(keys))
}

func TestAMemberWithoutWriteTokenReads(t *testing.T) {
	s := newSlice(t)
	key := s.peer("1", "a", "10.0.0.2", "all")
	for name, groups := range map[string][]string{"named for writing": {"all"}, "only for reading": nil} {
		t.Run(name, func(t *testing.T) {
			self := s.userData("own", "own", "all")
			self.Slice.Tokens.Write = scope.Token{}
			self.Slice.HostsWrite, self.Slice.PubKeysWrite = groups, groups
			m := s.boot(self, "")
			m.pass()
			assert.Equal(t, hostsBlock("10.0.0.2\ta"), m.file(hosts))
			assert.Equal(t, keysBlock(key), m.file(keys))
			assert.Empty(t, m.file(own), "a key that nobody would see is not made")
		})
	}
}

func TestWhoReadsNoGroupPublishesAllTheSame(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	s.peer("1", "a", "10.0.0.2", "all")
	self := s.userData("own", "own", "all")
	self.Slice.HostsRead, self.Slice.PubKeysRead = nil, nil
	m := s.boot(self, "")
	assert.Empty(t, m.pass().Changed)
	assert.Contains(t, s.value("hostsall", "own"), ownAddress.String())
	assert.Empty(t, m.file(hosts))
	assert.Empty(t, m.file(keys))

	m.write(hosts, hostsBlock("10.0.0.7\tanother"))
	m.write(keys, keysBlock(newKey(t, "another")))
	assert.Empty(t, m.pass().Changed, "what another program keeps there is its own")
}

// A crash between the writing of the keys and the note that they are the guest's does not leave them behind for ever.
func TestKeysAreTheGuestsThoughACrashCameBeforeItNotedThat(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("1", "a", "10.0.0.2", "all")
	m.pass()
	notes, err := filepath.Glob(filepath.Join(m.root, "var/lib/comet-guest/*/pubkeys.json"))
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.NoError(t, os.Remove(notes[0]))
	self := s.userData("own", "own", "all")
	s.boot(self, m.root).pass()
	self.Slice.PubKeysRead = nil
	s.boot(self, m.root).pass()
	assert.Empty(t, m.file(keys))
}

func TestWithoutAnAddressNoneIsPublished(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.address.Store(new(netip.Addr))
	m.pass()
	assert.Equal(t, string(scope.Encode(scope.Host{HostName: "own"})), s.value("hostsall", "own"))
	assert.NotEqual(t, string(scope.Encode(scope.PubKey{})), s.value("pubkeysall", "own"))
}

func TestUserDataThatIsNotEnough(t *testing.T) {
	s := newSlice(t)
	whole := s.userData("own", "own", "all")
	noSlice, noKey, noToken := whole, whole, whole
	noSlice.SliceID = scope.ContextID{}
	noKey.ReservationID = scope.Key{}
	noToken.Slice.Tokens.Read = scope.Token{}
	_, err := guest.New(guest.Settings{Root: t.TempDir()}, guest.Member{Client: s.client, Self: noSlice})
	require.EqualError(t, err, "user data: slice_id is not set")
	_, err = guest.New(guest.Settings{Root: t.TempDir(), Instance: "i"}, guest.Member{Client: s.client, Self: noKey})
	require.EqualError(t, err, "user data: reservation_id is not set")
	_, err = guest.New(guest.Settings{Root: t.TempDir()}, guest.Member{Client: s.client, Self: noToken})
	require.EqualError(t, err, "user data: neither slicecometreadtoken nor cometreadtoken is set")
	_, err = guest.New(guest.Settings{Root: t.TempDir() + "/missing"}, guest.Member{Client: s.client, Self: whole})
	require.ErrorContains(t, err, "root folder: ")
}
