package doctor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/doctor"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

const fixtures = "../../../testdata/keystores"

// What is broken is said, and the heads are examined with the rest.
func TestBrokenFiles(t *testing.T) {
	heads := comettest.Start(t, 1)
	good := of(t, heads).Files
	for name, c := range map[string]struct {
		files        tlsconfig.Files
		about, step  string
		says, doThis string
		tls          doctor.State // of the head, with what is left
	}{
		"no CA": {tlsconfig.Files{Cert: good.Cert, Key: good.Key},
			"CA", "CA", "no CA", "--cacert", doctor.Warning},
		"a CA that is not there": {tlsconfig.Files{CA: "nix.pem", Cert: good.Cert, Key: good.Key},
			"nix.pem", "CA", "no such file", "name a file that is there", doctor.Warning},
		"a CA that is none": {tlsconfig.Files{CA: filepath.Join(fixtures, "ca-is-a-page.pem")},
			filepath.Join(fixtures, "ca-is-a-page.pem"), "CA", "malformed", "from whoever runs the heads", doctor.Warning},
		"a wrong password": {tlsconfig.Files{CA: good.CA, KeyStore: filepath.Join(fixtures, "ec.jks"), KeyStorePassword: tlsconfig.NewPassword("PlantedWrong1")},
			filepath.Join(fixtures, "ec.jks"), "identity", "wrong password", "--keystore-password-file", doctor.OK},
		"a key of another": {tlsconfig.Files{CA: good.CA, Cert: good.CA, Key: good.Key},
			good.CA, "identity", "do not belong together", "issued for this key", doctor.OK},
		"a key by itself": {tlsconfig.Files{CA: good.CA, Key: good.Key},
			good.Key, "identity", "no certificate in it", "--cert (COMETCLIENTCERT)", doctor.OK},
		"a certificate by itself": {tlsconfig.Files{CA: good.CA, Cert: good.Cert},
			good.Cert, "identity", "no private key in it", "--key (COMETCLIENTKEY)", doctor.OK},
		"a key that is not there": {tlsconfig.Files{CA: good.CA, Cert: good.Cert, Key: "nix.key"},
			good.Cert, "identity", "nix.key", "name a file that is there", doctor.OK},
	} {
		t.Run(name, func(t *testing.T) {
			r := examine(t, doctor.Subject{Heads: heads.List(), Files: c.files})
			broken := check(t, r, c.about, c.step)
			assert.Equal(t, doctor.Problem, broken.State)
			assert.Contains(t, broken.Says, c.says)
			assert.Contains(t, broken.DoThis, c.doThis)
			require.ErrorIs(t, r.Err(), doctor.ErrConfiguration)
			if ours := check(t, r, heads.URL(0), "our certificate"); c.files.Cert+c.files.KeyStore != "" {
				assert.Contains(t, ours.Says, "ours was not tried")
				assert.Equal(t, "mend that first", ours.DoThis, "and not to give one: one was given")
			}
			for step, state := range map[string]doctor.State{"dns": doctor.OK, "connect": doctor.OK, "tls": c.tls, "version": doctor.OK} {
				assert.Equal(t, state, check(t, r, heads.URL(0), step).State, step)
			}
		})
	}
}

// What is not broken is still listed where something else is.
func TestTheRestOfBrokenFiles(t *testing.T) {
	heads := comettest.Start(t, 1)
	f := of(t, heads).Files
	f.CA = "nix.pem"
	r := examine(t, doctor.Subject{Heads: heads.List(), Files: f})
	assert.Equal(t, doctor.OK, check(t, r, f.Cert, "identity").State)
}

func TestAKeyStoreAndAPairThatDisagree(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	d, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "certs"))
	require.NoError(t, err)
	password, err := os.ReadFile(d.PasswordFile)
	require.NoError(t, err)
	s.Files.KeyStore, s.Files.KeyStorePassword = d.ClientJKS, tlsconfig.NewPassword(strings.TrimSpace(string(password)))
	r := examine(t, s)
	var said []doctor.Check
	for _, c := range r.Checks {
		if c.About == d.ClientJKS && c.State == doctor.Warning {
			said = append(said, c)
		}
	}
	require.Len(t, said, 1)
	assert.Contains(t, said[0].Says, "which is another")
	assert.Contains(t, said[0].DoThis, "--keystore")
}

func TestSecretsThatAllCanRead(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	token := filepath.Join(t.TempDir(), "read.token")
	require.NoError(t, os.WriteFile(token, []byte("Abcdefgh1"), 0o600))
	s.Secrets = []string{token, "", "not-there"}
	for _, path := range []string{s.Files.Key, token} {
		require.NoError(t, os.Chmod(path, 0o644))
	}
	r := examine(t, s)
	require.NoError(t, r.Err())
	for _, path := range []string{s.Files.Key, token} {
		c := check(t, r, path, "secrecy")
		assert.Equal(t, doctor.Warning, c.State)
		assert.Contains(t, c.Says, "0644")
		assert.Equal(t, "chmod 600 "+path, c.DoThis)
	}
	require.NoError(t, os.Chmod(token, 0o640))
	assert.Contains(t, check(t, examine(t, s), token, "secrecy").Says, "0640", "a group is others, too")
	require.NoError(t, os.Chmod(token, 0o600))
	require.NoError(t, os.Chmod(s.Files.Key, 0o600))
	for _, c := range examine(t, s).Checks {
		assert.NotEqual(t, "secrecy", c.Step)
	}
}

func TestACAThatAllCanChange(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	require.NoError(t, os.Chmod(s.Files.CA, 0o666))
	r := examine(t, s)
	require.NoError(t, r.Err())
	c := check(t, r, s.Files.CA, "integrity")
	assert.Equal(t, doctor.Warning, c.State)
	assert.Contains(t, c.Says, "0666")
	assert.Equal(t, "chmod 644 "+s.Files.CA, c.DoThis)

	require.NoError(t, os.Chmod(s.Files.CA, 0o644))
	dir := filepath.Dir(s.Files.CA)
	require.NoError(t, os.Chmod(dir, 0o777))
	c = check(t, examine(t, s), s.Files.CA, "integrity")
	assert.Contains(t, c.Says, "the mode of its folder 0777")
	assert.Equal(t, "chmod o-w "+dir, c.DoThis)

	require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky)) // as /tmp: only the owner replaces the file
	for _, c := range examine(t, s).Checks {
		assert.NotEqual(t, "integrity", c.Step)
	}
}

func TestTokens(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	for text, want := range map[string]struct {
		state doctor.State
		says  string
	}{
		"Abcdefgh1":  {doctor.OK, "strong enough"},
		"Abc1":       {doctor.Warning, "fewer than 8"},
		"Abcdefgh1|": {doctor.Warning, "deployed heads do not take"},
		"a|b":        {doctor.Warning, "fewer than 8"},
	} {
		s.Tokens = []doctor.Token{{Kind: "read", From: "COMET_READ_TOKEN", Token: scope.MustToken(text)}}
		r := examine(t, s)
		c := check(t, r, "COMET_READ_TOKEN", "read token")
		assert.Equal(t, want.state, c.State, text)
		assert.Contains(t, c.Says, want.says, text)
	}

	same := scope.NewToken()
	s.Tokens = []doctor.Token{{Kind: "read", From: "r", Token: same}, {Kind: "write", From: "w", Token: same}}
	r := examine(t, s)
	assert.Contains(t, check(t, r, "w", "tokens").Says, "are the same")
	require.ErrorIs(t, r.Err(), doctor.ErrConfiguration)

	broken := errors.New("no such file")
	s.Tokens = []doctor.Token{{Kind: "read", From: "r", Err: broken}, {Kind: "write", From: "w", Err: broken}}
	r = examine(t, s)
	require.EqualError(t, r.Err(), "2 problems found")
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	heads := comettest.Start(t, 1)
	r := examine(t, doctor.Subject{Heads: heads.List(), Unread: errors.New("configuration x: no such file")})
	assert.Equal(t, doctor.Problem, check(t, r, "settings", "settings").State)
	assert.Equal(t, doctor.OK, check(t, r, heads.URL(0), "version").State)
	require.ErrorIs(t, r.Err(), doctor.ErrConfiguration)
	for _, c := range r.Checks {
		assert.NotEqual(t, "CA", c.Step, "it may be in what was not read")
	}
}

func TestHeadsThatMakeNoSense(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := of(t, heads)
	s.Heads += " , ftp://a/, https://u:planted@b/, " + heads.URL(0)
	r := examine(t, s)
	require.EqualError(t, r.Err(), "2 problems found")
	assert.Equal(t, []string{heads.URL(0)}, r.Heads)
	assert.Equal(t, doctor.OK, check(t, r, heads.URL(0), "version").State)
	assert.NotContains(t, fmt.Sprint(r), "planted")

	r = examine(t, doctor.Subject{})
	assert.Equal(t, "no heads are named", check(t, r, "heads", "heads").Says)
	require.ErrorIs(t, r.Err(), doctor.ErrConfiguration)
}

func TestNothingSecretIsReported(t *testing.T) {
	heads := comettest.Start(t, 2)
	s := of(t, heads)
	heads.Set(1, comettest.Page(500))
	read, write := scope.MustToken("PlantedRead1"), scope.MustToken("Planted|Write")
	s.Tokens = []doctor.Token{{Kind: "read", From: "r", Token: read}, {Kind: "write", From: "w", Token: write}}
	s.Files.KeyStore, s.Files.KeyStorePassword = filepath.Join(fixtures, "ec.jks"), tlsconfig.NewPassword("PlantedPassword")
	r := examine(t, s)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.NotContains(t, string(text)+fmt.Sprintf("%+v %#v %v", r, r, r.Err()), "Planted")
	for i := range r.Heads {
		assert.Equal(t, heads.Calls(i, "getVersion")+heads.Calls(i, "enumerateScope"), heads.Calls(i, ""), "nothing else is asked")
	}
}
