package users

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

const fuzzedKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9SoMlC3wV6+ZhWdPzPvWMbkNXPvZyMVHKC3MVJ0Bq1"

// FuzzOrders: whatever an entry asks for, a login is one word that no program takes for an option, a key is one line, a file of sudo's says
// what it is to say and nothing else, and what is left out is noted in one line. Every ~ stands for a secret.
func FuzzOrders(f *testing.F) {
	user := func(login, sudo string, keys ...string) string {
		return string(scope.Encode(scope.User{Login: login, Sudo: sudo, Keys: keys}))
	}
	f.Add(user("alice", "yes", `from="10.0.0.0/8" `+fuzzedKey+" a"))
	f.Add(user("b.ob", "no", fuzzedKey+"\n"+fuzzedKey))
	f.Add(user("-o", "yes", `environment="X=~" ssh-rsa ~`))
	f.Add(user("al ALL=(ALL) NOPASSWD:ALL\nbob", "yes"))
	f.Add(user("root:0", "YES", "\x1b[2J"))
	f.Add(user("ALL", "yes", fuzzedKey+" ### BEGIN NEuca"))
	f.Fuzz(func(t *testing.T, value string) {
		elements, err := scope.Decode[scope.User]([]byte(plant.In(value)))
		if err != nil {
			return
		}
		list, _, notes := check(frame.Wanted[scope.User]{Elements: elements, Whole: true})
		for _, n := range notes {
			plant.RequireLine(t, n.About)
			plant.RequireLine(t, n.Why)
			require.NotContains(t, n.Why, plant.Secret)
		}
		for _, w := range list {
			require.Regexp(t, `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`, w.login)
			f := sudoFile(w.login)
			require.Equal(t, sudoersFolder, filepath.Dir(f.Name))
			require.Equal(t, header+`"`+w.login+`" ALL=(ALL:ALL) NOPASSWD:ALL`+"\n", string(f.Content))
			for _, line := range w.keys {
				plant.RequireLine(t, line)
			}
		}
	})
}

// FuzzTools: whatever getent says is an account or none, whatever sshd says is a file that is the user's own or none, and whoever is found in
// /etc/sudoers stands there.
func FuzzTools(f *testing.F) {
	f.Add("alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh", "authorizedkeysfile .ssh/authorized_keys /etc/keys/%u\n", "alice ALL=(ALL) NOPASSWD:ALL\n")
	f.Add("a:x:-1:99999999999999999999::/home/../root:", "AuthorizedKeysFile=%h/%%u/../%U %\n", "\"b\" ALL = (ALL:ALL) NOPASSWD : ALL # x\n")
	f.Add(":::::::", "authorizedkeysfile none %x /\n", "%wheel ALL=(ALL) NOPASSWD: ALL\n#a ALL=NOPASSWD:ALL")
	f.Add("a:x:1:1:::\n", "include \"/etc/ssh/sshd_config.d/*.conf\"\n", "\xff ALL=NOPASSWD:ALL\n")
	f.Fuzz(func(t *testing.T, entry, settings, sudoers string) {
		a, ok := parseAccount(entry)
		if ok {
			require.True(t, strings.HasPrefix(entry, a.login+":"))
			require.NotContains(t, a.home, ":")
		}
		for _, pattern := range keyword(settings, "authorizedkeysfile") {
			require.Len(t, strings.Fields(pattern), 1, "%q", pattern)
			path, own := expand(pattern, account{login: "alice", uid: 1000, home: "/home/alice"})
			if own {
				require.True(t, filepath.IsAbs(path) && filepath.Clean(path) == path, "%q of %q", path, pattern)
			}
		}
		_ = mentions(settings, "etc/ssh/sshd_config.d")
		for _, found := range everything.FindAllStringSubmatch(sudoers, -1) {
			require.Contains(t, sudoers, found[1])
			require.NotRegexp(t, `^$|[ \t\r\n]`, found[1])
		}
		_ = includes.MatchString(sudoers)
	})
}
