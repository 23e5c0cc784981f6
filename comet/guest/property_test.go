package guest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/renci-nrig/comet-go/scope"
)

// Whatever stands in a file and whatever peers wrote: foreign text survives byte for byte, the block holds only lines of the form that
// it has, and a second pass has nothing to do.
func TestAnyFileAndAnyPeers(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	key := newKey(t, "good")
	line := rapid.OneOf(rapid.StringMatching(`[ -~]{0,30}`), rapid.String().Filter(func(s string) bool { return !strings.Contains(s, "\n") }),
		rapid.SampledFrom([]string{"127.0.0.1\tlocalhost", "# comment", "", "10.0.0.9 vm-3", "### BEGIN", "### END NEuca", "\xff\xfe", "\r"}))
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c][a-z0-9.-]{0,6}`), rapid.SampledFrom([]string{"vm-1", "VM-1", "vm/1", "localhost", "a\nb", "own", key, key + "\n" + key}))
	ip := rapid.OneOf(rapid.StringMatching(`(10|127|224)\.0\.0\.[0-9]{1,3}`), rapid.String(), rapid.SampledFrom([]string{"", "::1", "2001:db8::1", "fe80::1%x"}))
	rapid.Check(t, func(rt *rapid.T) {
		foreign := ""
		for _, l := range rapid.SliceOfN(line, 0, 6).Draw(rt, "foreign") {
			foreign += l + "\n"
		}
		for i := range 3 {
			peer := fmt.Sprintf("peer-%d", i)
			host := scope.Encode(scope.Host{HostName: text.Draw(rt, "name"), IP: ip.Draw(rt, "ip"), SSHHostKeys: text.Draw(rt, "host keys")})
			s.put("hostsall", peer, string(host))
			s.put("pubkeysall", peer, string(scope.Encode(scope.PubKey{PublicKey: text.Draw(rt, "key")})))
		}
		root, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		m := s.boot(s.userData("own", "own", "all"), root)
		files := []string{hosts, keys, "etc/ssh/ssh_known_hosts"}
		for _, name := range files {
			m.write(name, foreign)
		}
		m.pass()
		m.pass() // only a second answer tells what is gone
		names := map[string]string{hosts: "comet", keys: "comet pubkeys", "etc/ssh/ssh_known_hosts": "comet host keys"}
		for _, name := range files {
			got := m.file(name)
			begin, end := strings.SplitAfter(inBlock(names[name], nil), "\n")[0], strings.SplitAfter(inBlock(names[name], nil), "\n")[1]
			before, rest, found := strings.Cut(got, begin)
			body, after, _ := strings.Cut(rest, end)
			require.Equal(rt, foreign, before+after, name)
			require.Equal(rt, found, body != "", name)
			for _, l := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
				if found {
					require.Regexp(rt, `^([0-9a-f.:]+\t[a-z0-9._-]+|([a-z0-9._-]+ )?ssh-ed25519 [A-Za-z0-9+/=]+( [ -~]+)?)$`, l, name)
				}
			}
		}
		before := state(t, root)
		require.Empty(rt, m.pass().Changed)
		require.Equal(rt, before, state(t, root))
		require.NoError(rt, os.RemoveAll(filepath.Join(root, "var")))
	})
}
