package guest_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/scope"
)

// Groups that are no more in the user data are withdrawn; a block that another program keeps is not.
func TestGroupsThatWentAwayAreWithdrawn(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "a", "b")
	s.peer("1", "in-a", "10.0.0.2", "a")
	inB := s.peer("2", "in-b", "10.0.0.3", "b")
	root := s.boot(s.userData("own", "own", "a", "b"), "")
	root.pass()
	require.Equal(t, hostsBlock("10.0.0.2\tin-a", "10.0.0.3\tin-b"), root.file(hosts))

	m := s.boot(s.userData("own", "own", "b"), root.root)
	m.pass()
	m.pass() // only a second answer tells that what is missing is gone
	assert.Equal(t, hostsBlock("10.0.0.3\tin-b"), m.file(hosts))
	assert.Equal(t, keysBlock(inB), m.file(keys))

	none := s.userData("own", "own")
	none.ReadToken = s.read
	m = s.boot(none, root.root)
	m.pass()
	assert.Empty(t, m.file(hosts), "the last group is gone")
	assert.Empty(t, m.file(keys))

	m.write(hosts, hostsBlock("10.0.0.7\tanother"))
	assert.Equal(t, []string{"/" + hosts}, m.pass().Changed, "the block of a VM that was in a group stays the guest's")
	assert.Empty(t, m.file(hosts))
	fresh := s.boot(none, "")
	fresh.write(hosts, hostsBlock("10.0.0.7\tanother"))
	fresh.write(keys, keysBlock(newKey(t, "another")))
	assert.Empty(t, fresh.pass().Changed, "a VM that was never in a group leaves the blocks to who keeps them")
}

// A VM that takes part in several contexts has all of them in one block, and a name stays with one of them.
func TestSeveralContextsAreOneBlock(t *testing.T) {
	one, two := newSlice(t), newSlice(t)
	one.placeHolders("own", "own", "all")
	two.placeHolders("second", "own", "all")
	a, b := one.peer("1", "a", "10.0.0.2", "all"), two.peer("1", "b", "10.1.0.2", "all")
	one.peer("2", "both", "10.0.0.3", "all")
	two.peer("2", "both", "10.1.0.3", "all")
	root := t.TempDir()
	g, err := guest.New(guest.Settings{Root: root, Logger: slog.New(slog.DiscardHandler), Every: 1, Modules: map[string]guest.Mode{"hostname": guest.Off}},
		guest.Member{Client: one.client, Self: one.userData("own", "own", "all")},
		guest.Member{Client: two.client, Self: two.userData("second", "own", "all")})
	require.NoError(t, err)
	defer g.Close()
	st, err := g.Once(t.Context())
	require.NoError(t, err)
	m := &machine{T: t, root: root}
	assert.Len(t, st.Contexts, 2)
	assert.Equal(t, hostsBlock("10.0.0.2\ta", "10.0.0.3\tboth", "10.1.0.2\tb"), m.file(hosts))
	assert.Contains(t, m.file(keys), a)
	assert.Contains(t, m.file(keys), b)
	assert.NotEqual(t, string(scope.Encode(scope.PubKey{})), two.value("pubkeysall", "second"), "it publishes in both")
	two.heads.Stop(0)
	st, err = g.Once(t.Context())
	require.Error(t, err)
	assert.Empty(t, st.Done())
	assert.Contains(t, m.file(hosts), "10.1.0.2\tb\n", "one context that is away takes nothing from the block")
}

// An older program reads the entries of ours and writes its own beside, as its encoding has it.
func TestOlderProgramsReadAndWriteBeside(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.write("etc/ssh/ssh_host_ed25519_key.pub", newKey(t, "host")+"\n")
	older := &olderVM{slice: s, key: "older", name: "NodeGroup0/1", ip: "10.0.0.9", public: newKey(t, "older") + "\n"}
	s.put("hostsall", "older", `{"val_": "[{\"hostName\": \"NodeGroup0-1\", \"ip\": \"\"}]", "owner": "x"}`)
	s.put("pubkeysall", "older", `{"val_": "[{\"publicKey\": \"\"}]"}`)
	m.pass()
	older.report()
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.9\tnodegroup0-1"), m.file(hosts))
	assert.Contains(t, m.file(keys), "ssh-ed25519 ")
	hosts, keys := older.learn()
	assert.Equal(t, []string{"10.0.0.1\town"}, hosts)
	require.Len(t, keys, 1)
	assert.Regexp(t, `^ssh-ed25519 \S+ root@own\n$`, keys[0], "one line with its end: it is appended as it is")
	assert.Contains(t, s.value("hostsall", "own"), "sshHostKeys")
	before := s.value("hostsall", "own")
	older.report()
	m.pass()
	assert.Equal(t, before, s.value("hostsall", "own"))
}
