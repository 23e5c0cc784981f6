package guest_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// asks reports what comes of asking the heads something.
func asks(t *testing.T, self orca.UserData, root string) error {
	t.Helper()
	client, err := guest.Connect(self, root)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Version(t.Context())
	return err
}

func TestTheCAComesFromTheUserDataOrTheMachine(t *testing.T) {
	s := newSlice(t)
	self := s.userData("own", "own", "all")
	der := self.CACert
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	none := t.TempDir()
	require.NoError(t, asks(t, self, none))
	self.CACert = asPEM
	require.NoError(t, asks(t, self, none))

	self.CACert = nil
	require.ErrorIs(t, asks(t, self, none), guest.ErrNoTrust)
	for name, ca := range map[string][]byte{"DER": der, "PEM": asPEM} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			file := filepath.Join(root, guest.DefaultCA)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, ca, 0o644))
			require.NoError(t, asks(t, self, root))
		})
	}
	assert.Zero(t, newSlice(t).heads.Calls(0, ""))
}

func TestHeadsThatCannotBeTrustedAreNotAsked(t *testing.T) {
	s := newSlice(t)
	another := newSlice(t)
	self := s.userData("own", "own", "all")
	self.CACert = another.heads.Authority().Certificate().Raw
	require.ErrorIs(t, asks(t, self, t.TempDir()), comet.ErrUnauthorized)

	for name, tt := range map[string]struct {
		spoil func(*orca.UserData)
		want  string
	}{
		"without TLS":        {func(u *orca.UserData) { u.CometHost += ",http://127.0.0.1:1/" }, "comethost: http://127.0.0.1:1 has no TLS"},
		"no heads":           {func(u *orca.UserData) { u.CometHost = "" }, "comethost: no head is given"},
		"not a URL":          {func(u *orca.UserData) { u.CometHost = "comet" }, "comethost: head "},
		"a CA that is none":  {func(u *orca.UserData) { u.CACert = []byte("hunter2") }, "user data: cometcacert: "},
		"a CA outside":       {func(u *orca.UserData) { u.CACert = nil }, "CA /etc/comet/ca.pem: "},
		"no folder for root": {func(u *orca.UserData) { u.CACert = nil }, "root folder: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root := filepath.Join(dir, "root")
			if name != "no folder for root" {
				require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/comet"), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), self.CACert, 0o644))
				require.NoError(t, os.Symlink("../../../ca.pem", filepath.Join(root, guest.DefaultCA)))
			}
			u := self
			tt.spoil(&u)
			err := asks(t, u, root)
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestHeadsMayBearANameOfTheirOwn(t *testing.T) {
	s := newSlice(t)
	certificate, err := s.heads.Authority().Server("head", "comet.example.net")
	require.NoError(t, err)
	s.heads.Present(0, certificate)
	self := s.userData("own", "own", "all")
	require.ErrorIs(t, asks(t, self, t.TempDir()), comet.ErrUnauthorized)
	self.ServerName = "comet.example.net"
	require.NoError(t, asks(t, self, t.TempDir()))
	self.ServerName = "other.example.net"
	require.ErrorIs(t, asks(t, self, t.TempDir()), comet.ErrUnauthorized)
}
