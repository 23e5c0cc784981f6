package guest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

const knownHosts = "etc/ssh/ssh_known_hosts"

// another is a slice of another name on the same heads.
func (s *slice) another() *slice {
	return &slice{s.T, s.heads, s.client, scope.MustName("another", "any", "any").Context, scope.NewToken(), scope.NewToken()}
}

// A machine that becomes a VM of another slice lets the VMs of the former one in no more, from the first answer that can be believed.
func TestTheVMsOfAFormerSliceGoWithTheFirstAnswer(t *testing.T) {
	for name, key := range map[string]string{"as another VM": "new", "as the same instance": "own"} {
		t.Run(name, func(t *testing.T) {
			was, m := settled(t)
			was.put("hostsall", "1", string(scope.Encode(scope.Host{HostName: "a", IP: "10.0.0.2", SSHHostKeys: newKey(t, "")})))
			m.pass()
			require.Contains(t, m.file(knownHosts), "\na ssh-ed25519 ")
			is := was.another()
			is.placeHolders(key, "own", "all")
			peer := is.peer("7", "a", "10.9.0.2", "all") // a name that somebody had before
			before := state(t, m.root)

			n := is.boot(is.userData(key, "own", "all"), m.root)
			is.heads.Set(0, comettest.Empty())
			r, err := n.once()
			require.ErrorContains(t, err, "the head shows nothing")
			assert.Zero(t, r.Lines+r.Keys, "what stands there is not counted")
			assert.Equal(t, before[hosts], state(t, m.root)[hosts], "in doubt nothing changes")
			assert.Equal(t, before[keys], state(t, m.root)[keys], "in doubt nothing changes")
			assert.Contains(t, notes(n), "/etc/hosts: 2 lines of a slice that this VM was in before are kept in doubt until heads show the one that it is in")

			is.heads.Set(0)
			n.pass()
			assert.Equal(t, foreign+"\n"+hostsBlock("10.9.0.2\ta"), n.file(hosts))
			assert.Equal(t, keysBlock(peer), n.file(keys))
			assert.NotContains(t, n.file(knownHosts), "ssh-ed25519")
		})
	}
}

// Alone in its new slice a VM lets nobody in.
func TestTheVMsOfAFormerSliceGoWhereTheNewOneHasNone(t *testing.T) {
	was, m := settled(t)
	is := was.another()
	is.placeHolders("own", "own", "all")
	n := is.boot(is.userData("own", "own", "all"), m.root)
	n.pass()
	assert.Equal(t, foreign+"\n", n.file(hosts))
	assert.Empty(t, n.file(keys))
}

// An answer of the slice that the VM is in still is no reason to take anything away before another one says the same, whatever the VM is
// called in it.
func TestAnotherVMOfTheSameSliceAsksTwice(t *testing.T) {
	s, m := settled(t)
	s.remove("hostsall", "1")
	s.remove("pubkeysall", "1")
	s.placeHolders("new", "own2", "all")
	n := s.boot(s.userData("new", "own2", "all"), m.root)
	n.pass()
	assert.Contains(t, n.file(hosts), "10.0.0.2\ta")
	n.pass()
	assert.NotContains(t, n.file(hosts), "10.0.0.2\ta")
}

func notes(m *machine) (lines []string) {
	for _, n := range m.notes {
		lines = append(lines, n.About+": "+n.Why)
	}
	return lines
}

// A key that is wrong is logged as what it is, once, and not module by module.
func TestAWrongKeyIsLoggedAsSuch(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	m := s.boot(s.userData("typo", "own", "all"), "")
	r := m.start()
	require.Eventually(t, func() bool { return strings.Contains(m.log.String(), "shows no entry of key typo") }, time.Minute, time.Millisecond)
	r.end()
	require.NoError(t, <-r.ended)
	assert.Equal(t, 1, strings.Count(m.log.String(), "shows no entry of key typo"))
	assert.NotContains(t, m.log.String(), "doubted: ")
}
