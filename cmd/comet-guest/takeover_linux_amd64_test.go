package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/trace"
)

// The guest takes over what the Python tools have left, broken as it may be. It is stopped before each system call that changes
// something: no version of a file that anybody could read lacks a host or a key of another VM that stood there before.
func TestTakesOverFromTheOlderTools(t *testing.T) {
	v := newVM(t)
	const foreign = "127.0.0.1\tlocalhost\n::1\tip6-localhost\n"
	a, b := "10.0.0.2\ta\n", "10.0.0.3\tb\n"
	keyA, keyB, mine := v.keys[0], v.keys[1], "# mine\n"+key(t)+" me\n"
	marked := func(which, name string) string { return fmt.Sprintf(which, name) }
	loopback := "\n" + block("loopback", "127.255.255.1\town\n") + "\n"
	for name, tt := range map[string]struct{ hosts, keys, want string }{
		"as they leave it": {foreign + loopback + block("comet", a, b), mine + block("comet pubkeys", keyA+"\n", keyB+"\n"),
			foreign + loopback + block("comet", a, b)},
		"one group of two": {foreign + block("comet", b), mine + block("comet pubkeys", keyB+"\n"), ""},
		"keys glued together and to the end, again and again": {foreign + block("comet", a, b),
			mine + strings.Repeat(block("comet pubkeys", keyA, keyB), 3), ""},
		"a key glued to the end, once":            {foreign + block("comet", a, b), mine + block("comet pubkeys", keyA+"\n", keyB), ""},
		"no end of the block in hosts":            {foreign + marked(begin, "comet") + a + b, mine + block("comet pubkeys", keyA+"\n"), ""},
		"the loopback's begin is the last line":   {foreign + block("comet", a, b) + marked(begin, "loopback"), mine, ""},
		"a block without end after a bad comment": {foreign, mine + marked(begin, "comet pubkeys") + keyA + "\n", ""},
		"a / replaced in a whole line":            {foreign + block("comet", "10.0.0.1-24\tz\n", a), mine, ""},
		"emptied by a crash":                      {"", "", ""},
		"twice and in the wrong order":            {foreign + marked(end, "comet") + block("comet", b) + block("comet", a), mine + block("comet pubkeys", keyB+"\n") + block("comet pubkeys", keyA+"\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := *v
			v.T = t
			root := v.machine(map[string]string{hosts: tt.hosts, authKeys: tt.keys, "etc/hostname": "own\n"})
			var there []string // of what must be there at any time
			for _, line := range []string{a, b, keyA, keyB} {
				line = strings.TrimSpace(line)
				if strings.Contains(tt.hosts+tt.keys, line) {
					there = append(there, line)
				}
			}
			looks := 0
			ended, code := trace.Run(t, command(v.args("once", root)...), root, func(_ int, call string) bool {
				now := content(t, root, hosts) + content(t, root, authKeys)
				for _, line := range there {
					require.Contains(t, now, line, "before %s", call)
				}
				looks++
				return true
			})
			require.True(t, ended)
			require.Zero(t, code)
			require.Greater(t, looks, 10)

			gotHosts, gotKeys := content(t, root, hosts), content(t, root, authKeys)
			for _, text := range []string{block("comet", a, b), block("loopback", "127.255.255.1\town\n")} {
				assert.Equal(t, 1, strings.Count(gotHosts, text), gotHosts)
			}
			ring := block("comet pubkeys", keyA+"\n", keyB+"\n")
			if keyB < keyA {
				ring = block("comet pubkeys", keyB+"\n", keyA+"\n")
			}
			assert.Equal(t, 1, strings.Count(gotKeys, ring), gotKeys)
			assert.Equal(t, 4, strings.Count(gotHosts, "NEuca"), gotHosts)
			assert.Equal(t, 2, strings.Count(gotKeys, "NEuca"), gotKeys)
			if tt.hosts != "" {
				assert.Contains(t, gotHosts, foreign)
			}
			assert.Contains(t, gotKeys, strings.TrimSuffix(tt.keys[:min(len(tt.keys), len(mine))], "\n"))
			if tt.want != "" {
				assert.Equal(t, tt.want, gotHosts)
			}
			out, err := command(v.args("plan", root)...).CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
}
