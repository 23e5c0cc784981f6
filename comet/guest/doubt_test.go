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
	const doubt = "the head shows nothing"
	for name, tt := range map[string]struct {
		fault comettest.Fault
		want  string
	}{
		"nothing is there":          {comettest.Empty(), doubt},
		"the list is empty":         {comettest.Empty().On("enumerateScope"), doubt},
		"the list is null":          {list("null"), doubt},
		"half a list without us":    {list(a), doubt},
		"a list of other names":     {list(`{"family":"hostsall","key":"own2","value":"{}"},` + a), doubt},
		"an answer of another type": {comettest.Answer(200, "application/json", `{"status":"OK","value":{"entries":7}}`), "is not the JSON of a COMET head"},
		"no answer at all":          {comettest.Hang().On("enumerateScope"), "no answer in time"},
		"an error":                  {comettest.Status(500), "HTTP 500"},
		"an error in a good answer": {comettest.Answer(200, "application/json", `{"status":"OK","value":{"error":"scope already deleted"}}`), "scope already deleted"},
		"refused":                   {comettest.Status(403), "HTTP 403"},
		"a page":                    {comettest.Page(200), "is not the JSON"},
		"half an answer":            {comettest.Cut(40), "closed before"},
		"no value":                  {comettest.Answer(200, "application/json", `{"status":"OK","message":"success"}`).On("enumerateScope"), "is not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m := settled(t)
			before := state(t, m.root)
			s.heads.Set(0, tt.fault)
			for range 3 {
				r, err := m.once()
				require.ErrorContains(t, err, tt.want)
				if tt.want == doubt {
					require.ErrorContains(t, err, "hosts: hostsall: "+doubt)
					require.ErrorContains(t, err, "pubkeys: pubkeysall: "+doubt)
				}
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
	_, err := m.once()
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
			_, err := s.boot(self, m.root).once()
			require.ErrorContains(t, err, "hosts: hostsall: the head shows nothing")
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
	_, err := m.once()
	require.ErrorContains(t, err, "hosts: hostslib: the head shows nothing")
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

	r, err := m.once()
	require.ErrorContains(t, err, "hosts: hostsb: ")
	assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.22\tmoved", "10.0.0.3\tin-b", "10.0.0.4\tfresh"), m.file(hosts))
	assert.Equal(t, keysBlock(sorted(moved, inB, fresh)...), m.file(keys))
	assert.Len(t, r.Changed, 2)
	before := state(t, m.root)
	_, err = m.once()
	require.Error(t, err)
	assert.Equal(t, before, state(t, m.root))

	s.placeHolders("own", "own", "b")
	s.remove("hostsb", "2")
	m.pass()
	m.pass()
	assert.Equal(t, foreign+"\n"+hostsBlock("10.0.0.22\tmoved", "10.0.0.4\tfresh"), m.file(hosts), "no doubt any more")
}

func TestOneFamilyInDoubtStopsNoOther(t *testing.T) {
	s, m := settled(t)
	s.remove("hostsall", "own")
	fresh := s.peer("3", "fresh", "10.0.0.4", "all")
	_, err := m.once()
	require.ErrorContains(t, err, "publish: hostsall: ")
	require.ErrorContains(t, err, "hosts: hostsall: ")
	assert.NotContains(t, err.Error(), "SSH")
	assert.NotContains(t, m.file(hosts), "fresh")
	assert.Contains(t, m.file(keys), fresh)
}
