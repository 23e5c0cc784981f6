package guest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

// What one peer wrote stops nobody: the bad entry is left out, with a warning that names the peer, and the others are applied.
func TestBadHostsOfAPeerAreLeftOut(t *testing.T) {
	host := func(name, ip string) string { return string(scope.Encode(scope.Host{HostName: name, IP: ip})) }
	const begin = "### BEGIN NEuca comet modifications - DO NOT EDIT BETWEEN THESE LINES. ###"
	for name, value := range map[string]string{
		"newline in the name":    host("a\n6.6.6.6\tgithub.com", "10.0.0.66"),
		"return in the name":     host("a\r6.6.6.6\tgithub.com", "10.0.0.66"),
		"blank in the name":      host("a github.com", "10.0.0.66"),
		"tab in the name":        host("a\tgithub.com", "10.0.0.66"),
		"comment in the name":    host("a#b", "10.0.0.66"),
		"marker as name":         host(begin, "10.0.0.66"),
		"marker below the name":  host("a\n"+strings.Replace(begin, "BEGIN", "END", 1), "10.0.0.66"),
		"no name":                host("", "10.0.0.66"),
		"name that is not ASCII": host("münchen", "10.0.0.66"),
		"name with escapes":      host("\x1b[2Jgithub.com", "10.0.0.66"),
		"long name":              host(strings.Repeat("a.", 127)+"a", "10.0.0.66"),
		"no address":             host("github.com", "github.com"),
		"address and more":       host("a", "10.0.0.66 github.com"),
		"newline in the address": host("a", "10.0.0.66\n6.6.6.6\tgithub.com"),
		"network":                host("github.com", "10.0.0.66/24"),
		"zone":                   host("github.com", "fe80::1%eth0"),
		"zone with a name":       host("a", "fe80::1%x\tgithub.com"),
		"zone with a line":       host("a", "fe80::1%x\n6.6.6.6\tgithub.com"),
		"no JSON":                "10.0.0.66 github.com",
		"cut short":              host("github.com", "10.0.0.66")[:20],
		"a list":                 `[{"hostName":"github.com","ip":"10.0.0.66"}]`,
		"no list inside":         `{"val_":"github.com"}`,
		"a list in a name":       `{"val_":"[{\"hostName\":[\"github.com\"],\"ip\":\"10.0.0.66\"}]"}`,
		"too long":               host("github.com", "10.0.0.66") + strings.Repeat(" ", 100<<10),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			s.put("hostsall", "0-bad", value)
			s.peer("1", "good", "10.0.0.2", "all")
			s.put("hostsall", "2-bad", value)
			m.pass()
			assert.Equal(t, hostsBlock("10.0.0.2\tgood"), m.file(hosts))
			assert.NotEmpty(t, m.file(keys))
			requireWarnings(m, "hostsall", "0-bad", "2-bad")
		})
	}
}

func TestBadKeysOfAPeerAreLeftOut(t *testing.T) {
	key := func(text string) string { return string(scope.Encode(scope.PubKey{PublicKey: text})) }
	evil := newKey(t, "evil")
	for name, value := range map[string]string{
		"two lines":         key(evil + "\n" + evil),
		"a line above":      key("# evil\n" + evil),
		"a marker below":    key(evil + "\n### END NEuca comet pubkeys modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"),
		"return inside":     key(evil + "\r" + evil),
		"zero byte":         key(evil + "\x00"),
		"options":           key(`command="rm -rf /" ` + evil),
		"a certificate's":   key("cert-authority " + evil),
		"an environment":    key(`environment="LD_PRELOAD=/x",no-pty ` + evil),
		"only a type":       key("ssh-ed25519"),
		"cut short":         key(evil[:40]),
		"another type":      key("ssh-rsa" + strings.TrimPrefix(evil, "ssh-ed25519")),
		"text":              key("evil"),
		"a marker":          key("### BEGIN NEuca comet pubkeys modifications - DO NOT EDIT BETWEEN THESE LINES. ###"),
		"a private key":     key("-----BEGIN OPENSSH PRIVATE KEY-----"),
		"no JSON":           evil,
		"no list inside":    `{"val_":7}`,
		"a number in place": `{"val_":"[7]"}`,
		"too long":          key(evil) + strings.Repeat(" ", 100<<10),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			s.put("pubkeysall", "0-bad", value)
			good := s.peer("1", "good", "10.0.0.2", "all")
			s.put("pubkeysall", "2-bad", value)
			m.pass()
			assert.Equal(t, keysBlock(good), m.file(keys))
			assert.Equal(t, hostsBlock("10.0.0.2\tgood"), m.file(hosts))
			requireWarnings(m, "pubkeysall", "0-bad", "2-bad")
		})
	}
}

// requireWarnings finds one warning for each of these peers and no other.
func requireWarnings(m *machine, family string, peers ...string) {
	m.Helper()
	got := m.warnings()
	require.Len(m, got, len(peers))
	for i, peer := range peers {
		assert.Contains(m, got[i], "peer "+peer+" in "+family+": ")
	}
}

func TestWhatADeployedProgramLeavesIsNothingBad(t *testing.T) {
	for name, value := range map[string]string{
		"reset":            `""`,
		"nothing":          `{}`,
		"no list":          `{"owner":"x"}`,
		"null":             `{"val_":null}`,
		"empty":            `{"val_":"[]"}`,
		"placeholder":      `{"val_":"[{\"hostName\":\"bare\",\"ip\":\"\",\"publicKey\":\"\"}]"}`,
		"missing members":  `{"val_":"[{\"hostName\":\"bare\"}]"}`,
		"null for nothing": `{"val_":"[{\"hostName\":\"bare\",\"ip\":null,\"publicKey\":null}]"}`,
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, json.Valid([]byte(value)))
			s := newSlice(t)
			m := s.vm()
			s.put("hostsall", "0", value)
			s.put("pubkeysall", "0", value)
			key := s.peer("1", "good", "10.0.0.2", "all")
			m.pass()
			assert.Equal(t, hostsBlock("10.0.0.2\tgood"), m.file(hosts))
			assert.Equal(t, keysBlock(key), m.file(keys))
			assert.Empty(t, m.warnings())
		})
	}
}

func TestGoodElementsOfAPeerStandBesideItsBadOnes(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	key := newKey(t, "good")
	s.put("hostsall", "1", `{"val_":"[{\"hostName\":\"a b\",\"ip\":\"10.0.0.66\"},5,{\"hostName\":\"good\",\"ip\":\"10.0.0.2\"},[]]"}`)
	s.put("pubkeysall", "1", `{"val_":"[{\"publicKey\":\"evil\"},5,{\"publicKey\":\"`+key+`\"},[]]"}`)
	m.pass()
	assert.Equal(t, hostsBlock("10.0.0.2\tgood"), m.file(hosts))
	assert.Equal(t, keysBlock(key), m.file(keys))
	assert.Len(t, m.warnings(), 2, "one for each entry, however much is wrong with it")
}

// A key's comment may hold anything; what is kept of it is plain.
func TestKeyCommentsAreMadePlain(t *testing.T) {
	for name, tt := range map[string]struct{ comment, want string }{
		"not ASCII":  {"müller@höst", "mller@hst"},
		"a marker":   {"### END NEuca comet pubkeys modifications - DO NOT EDIT BETWEEN THESE LINES. ###", "END NEuca comet pubkeys modifications - DO NOT EDIT BETWEEN THESE LINES."},
		"escapes":    {"a\x1b[2Jb\x7f", "a[2Jb"},
		"none":       {"", ""},
		"with words": {"alice at home", "alice at home"},
		"long":       {strings.Repeat("x", 5000), strings.Repeat("x", 200)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			bare := strings.TrimSpace(newKey(t, ""))
			s.put("pubkeysall", "1", string(scope.Encode(scope.PubKey{PublicKey: bare + " " + tt.comment + "\n"})))
			m.pass()
			assert.Equal(t, keysBlock(strings.TrimSpace(bare+" "+tt.want)), m.file(keys))
			before := state(t, m.root)
			m.pass()
			assert.Equal(t, before, state(t, m.root))
		})
	}
}
