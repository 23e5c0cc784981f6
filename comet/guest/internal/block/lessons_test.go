package block_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
)

// What the Python tools leave behind when they go wrong, as files: each is brought in order by one Set, with every foreign line
// in its place, and stays so.
func TestTakesOverDamagedFiles(t *testing.T) {
	const (
		hostsHead = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"
		users     = "ssh-ed25519 AAAAU me@laptop"
	)
	isHost := func(line string) bool { return strings.HasPrefix(line, "10.") }
	isPeerKey := func(line string) bool { return strings.HasPrefix(line, "ssh-rsa AAAAP") }
	loopback, pubkeys := block.NEuca("loopback"), block.NEuca("comet pubkeys")
	grown := strings.Repeat(pubkeys.Begin+"\nssh-rsa AAAAP1 root@a"+pubkeys.End+"\n", 5000)

	cases := []struct {
		name    string
		markers block.Markers
		opts    block.Options
		file    string
		lines   []string
		want    string
	}{
		{
			name:    "14 one block of many groups: the last group had won",
			markers: comet,
			file:    hostsHead + comet.Begin + "\n10.0.2.1\tgroup-b\n" + comet.End + "\n",
			lines:   []string{"10.0.1.1\tgroup-a", "10.0.2.1\tgroup-b"},
			want:    hostsHead + comet.Begin + "\n10.0.1.1\tgroup-a\n10.0.2.1\tgroup-b\n" + comet.End + "\n",
		},
		{
			name:    "15 a key glued to the next key and to END",
			markers: pubkeys,
			opts:    block.Options{Own: isPeerKey},
			file:    users + "\n" + pubkeys.Begin + "\nssh-rsa AAAAP1 root@assh-rsa AAAAP2 root@b" + pubkeys.End + "\n" + users + "2\n",
			lines:   []string{"ssh-rsa AAAAP1 root@a", "ssh-rsa AAAAP2 root@b"},
			want: users + "\n" + pubkeys.Begin + "\nssh-rsa AAAAP1 root@a\nssh-rsa AAAAP2 root@b\n" + pubkeys.End + "\n" +
				users + "2\n",
		},
		{
			name:    "15 the block appended every ten seconds, for a night",
			markers: pubkeys,
			opts:    block.Options{Own: isPeerKey},
			file:    users + "\n" + grown + users + "2\n" + grown,
			lines:   []string{"ssh-rsa AAAAP1 root@a"},
			want:    users + "\n" + pubkeys.Begin + "\nssh-rsa AAAAP1 root@a\n" + pubkeys.End + "\n" + users + "2\n",
		},
		{
			name:    "16 hosts without END",
			markers: comet,
			opts:    block.Options{Own: isHost},
			file:    hostsHead + comet.Begin + "\n10.0.0.1\ta\n192.0.2.1\tprinter\n",
			lines:   []string{"10.0.0.1\ta", "10.0.0.2\tb"},
			want:    hostsHead + comet.Begin + "\n10.0.0.1\ta\n10.0.0.2\tb\n" + comet.End + "\n192.0.2.1\tprinter\n",
		},
		{
			name:    "17 loopback BEGIN as the last line",
			markers: loopback,
			opts:    block.Options{Spaced: true},
			file:    hostsHead + "\n" + loopback.Begin,
			lines:   []string{"127.255.255.1\tnode0"},
			want:    hostsHead + "\n" + loopback.Begin + "\n127.255.255.1\tnode0\n" + loopback.End + "\n\n",
		},
		{
			name:    "22 broken off in the middle of the write, at a key with a comment beyond ASCII",
			markers: pubkeys,
			opts:    block.Options{Own: isPeerKey},
			file:    users + "\n" + strings.Repeat(pubkeys.Begin+"\nssh-rsa AAAAP1 root@a\n", 3),
			lines:   []string{"ssh-rsa AAAAP1 root@a", "ssh-rsa AAAAP2 müller@b"},
			want:    users + "\n" + pubkeys.Begin + "\nssh-rsa AAAAP1 root@a\nssh-rsa AAAAP2 müller@b\n" + pubkeys.End + "\n",
		},
		{
			name:    "24 the group has gone",
			markers: comet,
			file:    hostsHead + comet.Begin + "\n10.0.0.1\ta\n" + comet.End + "\n192.0.2.1\tprinter",
			want:    hostsHead + "192.0.2.1\tprinter",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := block.Set([]byte(c.file), c.markers, c.lines, c.opts)
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))

			again, err := block.Set(got, c.markers, c.lines, c.opts)
			require.NoError(t, err)
			require.Equal(t, c.want, string(again), "a second pass")
		})
	}
}

// Lessons 19: what a peer sends cannot put a line of its own beside its entry.
func TestRefusesLinesOfAStranger(t *testing.T) {
	for _, line := range []string{"10.0.0.1\ta\n203.0.113.1\tgithub.com", "ssh-rsa AAAA x\n" + comet.End + "\nssh-rsa AAAA evil"} {
		_, err := block.Set(nil, comet, []string{line}, block.Options{})
		require.Error(t, err)
	}
}
