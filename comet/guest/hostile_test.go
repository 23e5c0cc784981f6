package guest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

// hostileHosts are what a peer may try in its hosts entry of a VM whose own name is own.slice.example.
var hostileHosts = map[string]scope.Host{
	"a line in the name":           {HostName: "x\n6.6.6.6\tgithub.com", IP: "10.0.0.66"},
	"a return in the name":         {HostName: "x\r6.6.6.6\tgithub.com", IP: "10.0.0.66"},
	"two names":                    {HostName: "x github.com", IP: "10.0.0.66"},
	"a tab":                        {HostName: "x\tgithub.com", IP: "10.0.0.66"},
	"a comment":                    {HostName: "x#y", IP: "10.0.0.66"},
	"a marker":                     {HostName: "### END NEuca comet modifications - DO NOT EDIT BETWEEN THESE LINES. ###", IP: "10.0.0.66"},
	"an escape of terminals":       {HostName: "\x1b]0;x\x07x", IP: "10.0.0.66"},
	"a letter that looks like one": {HostName: "gіthub", IP: "10.0.0.66"},
	"a huge name":                  {HostName: strings.Repeat("x", 300), IP: "10.0.0.66"},
	"localhost":                    {HostName: "localhost", IP: "10.0.0.66"},
	"localhost in capitals":        {HostName: "LocalHost", IP: "10.0.0.66"},
	"below localhost":              {HostName: "localhost.localdomain", IP: "10.0.0.66"},
	"IPv6's localhost":             {HostName: "ip6-loopback", IP: "10.0.0.66"},
	"the proxy of browsers":        {HostName: "wpad", IP: "10.0.0.66"},
	"this VM":                      {HostName: "own.slice.example", IP: "10.0.0.66"},
	"this VM in capitals":          {HostName: "OWN.slice.example", IP: "10.0.0.66"},
	"a public site":                {HostName: "github.com", IP: "10.0.0.66"},
	"beyond the own domain":        {HostName: "x.example", IP: "10.0.0.66"},
	"much like the own domain":     {HostName: "x.notslice.example", IP: "10.0.0.66"},
	"a name that lines answer":     {HostName: "fileserver", IP: "10.0.0.66"},
	"a name that is a number":      {HostName: "2130706433", IP: "10.0.0.66"},
	"a name that is hexadecimal":   {HostName: "0x7f000001", IP: "10.0.0.66"},
	"a name that is an address":    {HostName: "10.0.0.2", IP: "10.0.0.66"},
	"a peer's name":                {HostName: "good", IP: "10.0.0.66"},
	"a peer's name in capitals":    {HostName: "GOOD", IP: "10.0.0.66"},
	"loopback":                     {HostName: "x1", IP: "127.0.0.1"},
	"loopback of IPv6":             {HostName: "x2", IP: "::1"},
	"loopback within IPv6":         {HostName: "x3", IP: "::ffff:127.0.0.1"},
	"multicast":                    {HostName: "x4", IP: "224.0.0.1"},
	"multicast of IPv6":            {HostName: "x5", IP: "ff02::1"},
	"everywhere":                   {HostName: "x6", IP: "255.255.255.255"},
	"nowhere":                      {HostName: "x7", IP: "0.0.0.0"},
	"the metadata service":         {HostName: "x8", IP: "169.254.169.254"},
	"a zone":                       {HostName: "x9", IP: "fe80::1%eth0"},
	"a network":                    {HostName: "x10", IP: "10.0.0.66/24"},
	"a line in the address":        {HostName: "x11", IP: "10.0.0.66\n6.6.6.6\tgithub.com"},
	"zeros before a number":        {HostName: "x12", IP: "010.0.0.66"},
	"host keys with a name":        {HostName: "x13", IP: "10.0.0.13", SSHHostKeys: "@cert-authority * ssh-ed25519 AAAA"},
	"host keys with a line":        {HostName: "x14", IP: "10.0.0.14", SSHHostKeys: "ssh-ed25519 AAAA\n* ssh-ed25519 AAAA"},
	"host keys that are huge":      {HostName: "x15", IP: "10.0.0.15", SSHHostKeys: strings.Repeat("ssh-ed25519 AAAA,", 2000)},
}

// honest are those of them whose address is applied: only their keys are bad.
const honest = "10.0.0.13\tx13 10.0.0.14\tx14 10.0.0.15\tx15"

func TestHostileHostsAreLeftOutAndTheRestIsApplied(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own.slice.example", "all")
	m := s.boot(s.userData("own", "own.slice.example", "all"), "")
	m.write(hosts, "127.0.0.1\tlocalhost\n192.0.2.1\tFileServer # ours\n")
	hostKey := strings.TrimSpace(newKey(t, ""))
	s.put("hostsall", "good", string(scope.Encode(scope.Host{HostName: "good", IP: "10.0.0.2", SSHHostKeys: hostKey})))
	s.put("hostsall", "fqdn", string(scope.Encode(scope.Host{HostName: "fqdn.slice.example", IP: "10.0.0.3"})))
	m.pass()
	i := 0
	peers := map[string]string{}
	for what, h := range hostileHosts {
		key := fmt.Sprintf("0-%d", i) // before the honest ones in any order
		i++
		peers[what] = key
		s.put("hostsall", key, string(scope.Encode(h)))
	}
	require.GreaterOrEqual(t, len(peers), 30)
	m.pass()
	lines := append(strings.Split(honest, " "), "10.0.0.2\tgood", "10.0.0.3\tfqdn.slice.example")
	want := "127.0.0.1\tlocalhost\n192.0.2.1\tFileServer # ours\n" + hostsBlock(sorted(lines...)...)
	assert.Equal(t, want, m.file(hosts))
	assert.Equal(t, inBlock("comet host keys", []string{"good " + hostKey}), m.file("etc/ssh/ssh_known_hosts"))
	said := strings.Join(m.warnings(), "\n") + "\n"
	for what, key := range peers {
		assert.Regexp(t, `(peer |/)`+key+`\b`, said, what)
	}
	for _, line := range m.warnings() {
		assert.NotRegexp(t, `[\x00-\x1f\x7f]`, line)
		assert.Less(t, len(line), 1000)
	}
	before := state(t, m.root)
	m.pass()
	assert.Equal(t, before, state(t, m.root))
}

// Who had a name first keeps it, over restarts of the guest too, until all heads agree that it has gone.
func TestANameStaysWithWhoHadItFirst(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	s.peer("z", "web", "10.0.0.2", "all")
	m.pass()
	s.peer("a", "web", "10.0.0.66", "all")
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.2\tweb"), m.file(hosts))
	require.Len(t, m.warnings(), 1)
	assert.Contains(t, m.warnings()[0], "peer slice/a: claims the host name web, which slice/z had first")

	m = s.boot(s.userData("own", "own", "all"), m.root)
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.2\tweb"), m.file(hosts), "after a restart")

	s.put("hostsall", "z", string(scope.Encode(scope.Host{HostName: "web", IP: "10.0.0.3"})))
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.3\tweb"), m.file(hosts), "its holder may move")

	s.remove("hostsall", "z")
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.3\tweb"), m.file(hosts), "one answer without it may be wrong")
	m.pass()
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.66\tweb"), m.file(hosts), "it has gone")
	assert.Empty(t, m.warnings())
}

// A peer that calls its heads' name its own is none.
func TestTheNamesOfHeadsAreTheirs(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own.slice.example", "all")
	self := s.userData("own", "own.slice.example", "all")
	self.CometHost += ",https://Head.slice.example:8111/"
	s.peer("1", "head.slice.example", "10.0.0.66", "all")
	m := s.boot(self, "")
	m.pass()
	assert.Empty(t, m.file(hosts))
	require.Len(t, m.warnings(), 1)
	assert.Contains(t, m.warnings()[0], "hostName is that of a head")
}
