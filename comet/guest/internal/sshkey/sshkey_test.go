package sshkey_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOOIITt81EVMfUt2MXHG0PApQ85577CvtWHf+gUhGQSg"

func TestKeys(t *testing.T) {
	for name, tt := range map[string]struct{ text, with, wrong string }{
		"bare":             {key, key, ""},
		"blanks around":    {"  " + key + "  a@b:22 \n", key + " a@b:22", ""},
		"options":          {`from="2001:db8::1",restrict ` + key + " c", `from="2001:db8::1",restrict ` + key + " c", ""},
		"odd comment":      {key + " \x1b[2J#ü", key + " [2J", ""},
		"two lines":        {key + "\n" + key, "", "more than one line"},
		"glued":            {"garbage\r" + key, "", "more than one line"},
		"garbage":          {"secret", "", "is not an SSH public key"},
		"cut short":        {key[:40], "", "is not an SSH public key"},
		"nothing":          {"", "", "is not an SSH public key"},
		"escape in option": {"command=\"\x1b\" " + key, "", "control character"},
	} {
		t.Run(name, func(t *testing.T) {
			with, err := sshkey.WithOptions(tt.text)
			assert.Equal(t, tt.with, with)
			_, strict := sshkey.Canonical(tt.text)
			if tt.wrong == "" {
				require.NoError(t, err)
				assert.Equal(t, strings.HasPrefix(with, "from"), strict != nil)
				return
			}
			require.ErrorContains(t, err, tt.wrong)
			require.Error(t, strict)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestWeakKeysAreRefused(t *testing.T) {
	for bits, good := range map[int]bool{1024: false, 2048: true} {
		private, err := rsa.GenerateKey(rand.Reader, bits)
		require.NoError(t, err)
		public, err := ssh.NewPublicKey(&private.PublicKey)
		require.NoError(t, err)
		line, err := sshkey.Canonical(sshkey.Line(public, "c"))
		assert.Equal(t, good, err == nil, "%d bits", bits)
		assert.Equal(t, good, line != "")
	}
}

// FuzzWithOptions: what is written is one line, which is read as itself; what is refused is in one line without a word of it. Every ~ stands
// for a secret.
func FuzzWithOptions(f *testing.F) {
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(f, err)
	other, err := ssh.NewPublicKey(public)
	require.NoError(f, err)
	f.Add(key)
	f.Add(`command="a \"b\"",no-pty ` + sshkey.Line(other, "c # d"))
	f.Add(`environment="~=~" ssh-rsa ~ ~`)
	f.Fuzz(func(t *testing.T, text string) {
		line, err := sshkey.WithOptions(plant.In(text))
		if err != nil {
			require.Empty(t, line)
			plant.RequirePlain(t, err)
			return
		}
		require.False(t, strings.ContainsAny(line, "\n\r\x00"))
		again, err := sshkey.WithOptions(line)
		require.NoError(t, err)
		require.Equal(t, line, again)
	})
}
