package guest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

// settled is a VM that knows two others, and the head that all depend on.
func settled(t *testing.T) (*slice, *machine) {
	t.Helper()
	s := newSlice(t)
	m := s.vm()
	m.write(hosts, foreign)
	s.peer("1", "a", "10.0.0.2", "all")
	s.peer("2", "b", "10.0.0.3", "all")
	require.Len(t, m.pass().Changed, 2)
	return s, m
}

// list is a head's answer to enumerateScope with these entries of hosts: value by key.
func list(entries string) comettest.Fault {
	return comettest.Answer(200, "application/json", fmt.Sprintf(
		`{"status":"OK","message":"success","value":{"contextId":"slice","entries":[%s]},"version":"1.0.5"}`, entries)).On("enumerateScope")
}

func TestWhatCannotBeBelievedLeavesTheFilesAlone(t *testing.T) {
	const a = `{"family":"hostsall","key":"1","value":"{\"val_\":\"[]\"}"}`
	for name, fault := range map[string]comettest.Fault{
		"nothing is there":          comettest.Empty(),
		"the list is empty":         comettest.Empty().On("enumerateScope"),
		"the list is null":          list("null"),
		"half a list without us":    list(a),
		"a list of other names":     list(`{"family":"hostsall","key":"own2","value":"{}"},` + a),
		"an answer of another type": comettest.Answer(200, "application/json", `{"status":"OK","value":{"entries":7}}`),
		"no answer at all":          comettest.Hang().On("enumerateScope"),
		"an error":                  comettest.Status(500),
		"an error in a good answer": comettest.Answer(200, "application/json", `{"status":"OK","value":{"error":"scope already deleted"}}`),
		"refused":                   comettest.Status(403),
		"a page":                    comettest.Page(200),
		"half an answer":            comettest.Cut(40),
		"no value":                  comettest.Answer(200, "application/json", `{"status":"OK","message":"success"}`).On("enumerateScope"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := settled(t)
			before := state(t, m.root)
			s.heads.Set(0, fault)
			for range 2 {
				r, err := m.Once(t.Context())
				require.ErrorContains(t, err, "learn the hosts: group all: ")
				require.ErrorContains(t, err, "learn the SSH keys: group all: ")
				assert.Empty(t, r.Changed)
				assert.Equal(t, before, state(t, m.root))
			}
			s.heads.Set(0)
			assert.Empty(t, m.pass().Changed)
			assert.Equal(t, before, state(t, m.root))
		})
	}
}

func TestAHeadThatIsAwayLeavesTheFilesAlone(t *testing.T) {
	s, m := settled(t)
	before := state(t, m.root)
	s.heads.Stop(0)
	_, err := m.Once(t.Context())
	require.ErrorContains(t, err, "no head answered")
	assert.Equal(t, before, state(t, m.root))
	s.heads.Restart(0)
	m.pass()
	assert.Equal(t, before, state(t, m.root))
}

func TestAWrongReadTokenLeavesTheFilesAlone(t *testing.T) {
	for name, writes := range map[string]bool{"where we write": true, "where we only read": false} {
		t.Run(name, func(t *testing.T) {
			s, m := settled(t)
			before := state(t, m.root)
			self := s.userData("own", "own", "all")
			self.Slice.Tokens.Read = scope.NewToken()
			if !writes {
				self.Slice.HostsWrite, self.Slice.PubKeysWrite = nil, nil
			}
			_, err := s.boot(self, m.root).Once(t.Context())
			require.ErrorContains(t, err, "learn the hosts: group all: the head shows nothing")
			assert.Equal(t, before, state(t, m.root))
		})
	}
}

func TestAGroupOnlyReadThatTurnsEmptyKeepsWhatIsThere(t *testing.T) {
	s := newSlice(t)
	key := s.peer("1", "a", "10.0.0.2", "lib")
	self := s.userData("own", "own", "lib")
	self.Slice.HostsWrite, self.Slice.PubKeysWrite = nil, nil
	m := s.boot(self, "")
	m.pass()
	s.remove("hostslib", "1")
	s.remove("pubkeyslib", "1")
	_, err := m.Once(t.Context())
	require.ErrorContains(t, err, "learn the hosts: group lib: the head shows nothing")
	assert.Equal(t, hostsBlock("10.0.0.2\ta"), m.file(hosts))
	assert.Equal(t, keysBlock(key), m.file(keys))
}

// A group in doubt loses nothing, and keeps no other group from being learned.
func TestOneGroupInDoubtStopsNoOther(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "a", "b")
	moved, inB := s.peer("1", "moved", "10.0.0.2", "a"), s.peer("2", "in-b", "10.0.0.3", "b")
	m := s.boot(s.userData("own", "own", "a", "b"), "")
	m.write(hosts, foreign)
	m.pass()
	s.remove("hostsb", "own")
	s.remove("pubkeysb", "own")
	s.put("hostsa", "1", string(scope.Encode(scope.Host{HostName: "moved", IP: "10.0.0.22"})))
	fresh := s.peer("3", "fresh", "10.0.0.4", "a")

	r, err := m.Once(t.Context())
	require.ErrorContains(t, err, "learn the hosts: group b: ")
	assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.22\tmoved", "10.0.0.3\tin-b", "10.0.0.4\tfresh"), m.file(hosts))
	assert.Equal(t, keysBlock(sorted(moved, inB, fresh)...), m.file(keys))
	assert.Len(t, r.Changed, 2)
	before := state(t, m.root)
	_, err = m.Once(t.Context())
	require.Error(t, err)
	assert.Equal(t, before, state(t, m.root))

	s.placeHolders("own", "own", "b")
	s.remove("hostsb", "2")
	m.pass()
	assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.22\tmoved", "10.0.0.4\tfresh"), m.file(hosts), "no doubt any more")
}

func TestOneFamilyInDoubtStopsNoOther(t *testing.T) {
	s, m := settled(t)
	s.remove("hostsall", "own")
	fresh := s.peer("3", "fresh", "10.0.0.4", "all")
	_, err := m.Once(t.Context())
	require.ErrorContains(t, err, "publish the address: group all: ")
	require.ErrorContains(t, err, "learn the hosts: group all: ")
	assert.NotContains(t, err.Error(), "SSH")
	assert.NotContains(t, m.file(hosts), "fresh")
	assert.Contains(t, m.file(keys), fresh)
}
