package settings_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// What the packages install explains all settings, and says nothing but the defaults.
func TestTheInstalledFileIsTheExample(t *testing.T) {
	const file = "../../../cmd/comet-guest/package/guest.conf"
	installed, err := os.ReadFile(file)
	require.NoError(t, err)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, settings.Example(), 0o644))
	}
	assert.Equal(t, string(settings.Example()), string(installed), "UPDATE=1 writes it anew")

	s, err := settings.Parse(installed)
	require.NoError(t, err)
	assert.Equal(t, settings.Defaults(), s)
	said, err := settings.Parse(regexp.MustCompile(`(?m)^#([a-z][a-z-]* =)`).ReplaceAll(installed, []byte("$1")))
	require.NoError(t, err)
	assert.Equal(t, guest.DefaultModes(false), said.Modules)
	said.Modules = map[string]guest.Mode{}
	assert.Equal(t, s, said)
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for text, want := range map[string]string{
		"[guest]\nevrey = 10s\n":                     "line 2: evrey: is no setting of [guest]",
		"[modules]\n\nhosts = maybe\n":               `line 3: hosts: "maybe" is none of on, off, observe`,
		"[guest]\nevery = 10\n":                      "line 2: every: is not a time such as 10s or 5m",
		"[guest]\nevery = -1s\n":                     "line 2: every: is not a time such as 10s or 5m",
		"[guest]\nsource = user-data\n":              "line 2: source: is none of auto, metadata, config-drive, and not an absolute path",
		"[guest]\nmetrics-listen = 0.0.0.0:1\n":      "line 2: metrics-listen: is no loopback address with a port, such as 127.0.0.1:9160",
		"[guest]\nloopback = 10.0.0.1\n":             "line 2: loopback: is no loopback address such as 127.255.255.1",
		"[guest]\nssh-key = dsa\n":                   "line 2: ssh-key: is neither ed25519 nor rsa",
		"[interfaces]\nignore = 00:11:22:33:44\n":    `line 2: ignore: "00:11:22:33:44" is no hardware address`,
		"[trust]\ninsecure = perhaps\n":              "line 2: insecure: is neither yes nor no",
		"[trust]\ncacert = /ca.pem,\n insecure=on\n": "line 2: cacert: has more than one line; is the next one indented by mistake?",
		"[trust]\nserver-name = a\n insecure = on\n": "line 2: server-name: has more than one line; is the next one indented by mistake?",
		"[guest]\ndomain = a.net\n every = 1s\n":     "line 2: domain: has more than one line; is the next one indented by mistake?",
		"every = 1s\n":                               "line 1: stands before the first [section]; this is no ini file",
	} {
		_, err := settings.Parse([]byte(text))
		assert.EqualError(t, err, want, text)
	}
}

func TestTheSettingsOfOlderToolsCountWhereTheOwnSayNothing(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	s, err := settings.Load(root, "")
	require.NoError(t, err)
	assert.Equal(t, settings.Defaults(), s, "no file says nothing")

	write(settings.OldFile, "[runtime]\nset-loopback-hostname = False\ndataplane-macs-to-ignore = FE:16:3E:00:00:01,\n    fe163e000002\n"+
		"state-directory = /srv/neuca\ncommand-timeout = 60\n[linux]\nudev-directory = /etc/udev\n[logging]\nlog-level = WARNING\nlog-file-size = x\n")
	s, err = settings.Load(root, "")
	require.NoError(t, err)
	assert.True(t, s.NoLoopback)
	assert.Equal(t, []string{"fe163e000001", "fe163e000002"}, s.IgnoreMACs)
	assert.Equal(t, "/srv/neuca", s.OldState)
	assert.Equal(t, "warn", s.LogLevel)

	write(settings.File, "[guest]\nloopback = 127.0.0.9\nevery = 1s\n[modules]\nhosts = observe\n")
	s, err = settings.Load(root, "")
	require.NoError(t, err)
	assert.False(t, s.NoLoopback)
	assert.Equal(t, "127.0.0.9", s.Loopback.String())
	assert.Equal(t, time.Second, s.Every)
	assert.Equal(t, "/srv/neuca", s.OldState)
	assert.Equal(t, guest.Observe, s.ModesFor(false)["hosts"])
	assert.Equal(t, guest.Observe, s.ModesFor(true)["hosts"])
	assert.Equal(t, guest.Off, s.ModesFor(true)["hostname"])

	write(settings.CloudFile, "[guest]\nsource = /etc/comet/user-data.ini\nevery = 7s\n[modules]\nhosts = off\nusers = off\n")
	s, err = settings.Load(root, "")
	require.NoError(t, err)
	assert.Equal(t, "/etc/comet/user-data.ini", s.Source, "what cloud-init has brought")
	assert.Equal(t, time.Second, s.Every, "the own file counts")
	assert.Equal(t, guest.Observe, s.ModesFor(false)["hosts"])
	assert.Equal(t, guest.Off, s.ModesFor(false)["users"])
	write(settings.CloudFile, "[guest]\nevrey = 7s\n")
	_, err = settings.Load(root, "")
	require.ErrorContains(t, err, "settings "+settings.CloudFile+": line 2: ")
	require.NoError(t, os.Remove(filepath.Join(root, settings.CloudFile)))

	_, err = settings.Load(root, filepath.Join(root, "missing"))
	require.ErrorContains(t, err, "settings: open ")
	write(settings.File, "[guest]\nnothing\n")
	_, err = settings.Load(root, "")
	require.ErrorContains(t, err, "settings "+settings.File+": line 2: ")
}

// FuzzParse: settings are the same each time, or refused in one line.
func FuzzParse(f *testing.F) {
	f.Add(settings.Example())
	f.Add([]byte("[guest]\nevery = 1s\n[modules]\nhosts = off\n"))
	f.Add([]byte("[guest]\naddress = fe80::1%\x1b[2J\n"))
	f.Add([]byte("[gu\x07est]\nevery\x07 = 1s\n[interfaces]\nignore = \x07\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := settings.Parse(data)
		if err != nil {
			plant.RequireLine(t, err.Error())
			return
		}
		require.Positive(t, s.Every)
		again, err := settings.Parse(bytes.Clone(data))
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}

// FuzzOldFile: the file of neuca-guest-tools, with whatever other programs have there, is settings that the guest's own file could have
// too, or refused in one line.
func FuzzOldFile(f *testing.F) {
	for _, text := range []string{
		"[runtime]\nset-loopback-hostname = true\nloopback-address = 127.255.255.1\ndataplane-macs-to-ignore = fe:16:3e:00:26:cb, FE163E002644\n",
		"[runtime]\nstate-directory = /var/lib/neuca\n[logging]\nlog-level = CRITICAL\nlog-file = %(dir)s/x\n",
		"[runtime]\nset-loopback-hostname = perhaps\n", "[runtime]\ndataplane-macs-to-ignore = \x1b[2J\n", "[runtime]\nloopback-address = 10.0.0.1\n",
		"no section\n", "[logging]\nlog-level = DEBUG\nlog-level = nonsense\n", "[runtime]\nstate-directory = ../x\n",
	} {
		f.Add([]byte(text))
	}
	root := f.TempDir()
	require.NoError(f, os.MkdirAll(filepath.Join(root, filepath.Dir(settings.OldFile)), 0o755))
	own := filepath.Join(root, "own")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(root, settings.OldFile), data, 0o600))
		require.NoError(t, os.WriteFile(own, nil, 0o600))
		s, err := settings.Load(root, own)
		list, listErr := settings.List(root, own)
		if err != nil {
			plant.RequireLine(t, err.Error())
			require.ErrorContains(t, err, settings.OldFile)
			require.Equal(t, err, listErr)
			return
		}
		require.NoError(t, listErr)
		require.NoError(t, os.Remove(filepath.Join(root, settings.OldFile)))
		require.NoError(t, os.WriteFile(own, asFile(list), 0o600))
		again, err := settings.Load(root, own)
		require.NoError(t, err)
		if s.NoLoopback { // then it does not matter which
			s.Loopback, again.Loopback = netip.Addr{}, netip.Addr{}
		}
		require.Equal(t, s, again)
	})
}

// asFile writes what older tools have said as a file of the guest.
func asFile(list []settings.Setting) []byte {
	var b bytes.Buffer
	for _, s := range list {
		if s.From == settings.OldFile {
			fmt.Fprintf(&b, "[%s]\n%s = %s\n", s.Section, s.Name, s.Value)
		}
	}
	return b.Bytes()
}

// No link leads out of the root; an absolute one counts from there, as it will once the root is the machine's.
func TestSettingsLieBelowTheRoot(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	file := filepath.Join(outside, "guest.conf")
	require.NoError(t, os.WriteFile(file, []byte("[guest]\ndomain = outside\n"), 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/comet"), 0o700))
	require.NoError(t, os.Symlink(file, filepath.Join(root, settings.File)))
	s, _ := settings.Load(root, "")
	assert.Empty(t, s.Domain)
	s, err := settings.Load(root, file)
	require.NoError(t, err)
	assert.Equal(t, "outside", s.Domain, "people may name any file")

	inside := filepath.Join(root, file)
	require.NoError(t, os.MkdirAll(filepath.Dir(inside), 0o700))
	require.NoError(t, os.WriteFile(inside, []byte("[guest]\ndomain = inside\n"), 0o600))
	s, err = settings.Load(root, "")
	require.NoError(t, err)
	assert.Equal(t, "inside", s.Domain)
}
