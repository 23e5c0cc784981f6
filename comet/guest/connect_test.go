package guest_test

import (
	"encoding/pem"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// asks reports what comes of asking the heads something.
func asks(t *testing.T, self orca.UserData, root string) error {
	return asksTrusting(t, guest.Trust{}, self, root)
}

func asksTrusting(t *testing.T, trust guest.Trust, self orca.UserData, root string) error {
	t.Helper()
	client, err := trust.Connect(self, root)
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
		"without TLS":         {func(u *orca.UserData) { u.CometHost += ",http://127.0.0.1:1/" }, "comethost: http://127.0.0.1:1 has no TLS, so that all could read the slice's tokens: use https://, or --insecure"},
		"no heads":            {func(u *orca.UserData) { u.CometHost = "" }, "comethost: no head is given"},
		"not a URL":           {func(u *orca.UserData) { u.CometHost = "comet" }, "comethost: head "},
		"a CA that is none":   {func(u *orca.UserData) { u.CACert = []byte("hunter2") }, "CA user data (cometcacert): malformed"},
		"a CA outside":        {func(u *orca.UserData) { u.CACert = nil }, "CA /etc/comet/ca.pem: "},
		"an empty CA":         {func(u *orca.UserData) { u.CACert = nil }, "CA /etc/comet/ca.pem: it is empty"},
		"names that are none": {func(u *orca.UserData) { u.ServerName = "a.example.net, *" }, `user data: cometservername: server name "*"`},
		"no folder for root":  {func(u *orca.UserData) { u.CACert = nil }, "root folder: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			root := filepath.Join(dir, "root")
			if name != "no folder for root" {
				require.NoError(t, os.MkdirAll(filepath.Join(root, "etc/comet"), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), self.CACert, 0o644))
				if name == "an empty CA" {
					require.NoError(t, os.WriteFile(filepath.Join(root, guest.DefaultCA), nil, 0o644))
				} else {
					require.NoError(t, os.Symlink("../../../ca.pem", filepath.Join(root, guest.DefaultCA)))
				}
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

// named makes the head show a certificate for that name alone.
func (s *slice) named(name string) {
	s.Helper()
	certificate, err := s.heads.Authority().Server("head", name)
	require.NoError(s, err)
	s.heads.Present(0, certificate)
}

func TestHeadsMayBearANameOfTheirOwn(t *testing.T) {
	s := newSlice(t)
	s.named("head.comet.example.net")
	self := s.userData("own", "own", "all")
	root := t.TempDir()
	address := strings.TrimPrefix(s.heads.URL(0), "https://")
	for names, good := range map[string]bool{
		"":                       false,
		"head.comet.example.net": true,
		"other.example.net":      false,
		"*.comet.example.net":    true,
		"*.example.net":          false,
		"other.example.net, head.comet.example.net": true,
		address + "=*.comet.example.net":            true,
		"192.0.2.1:8111=*.comet.example.net":        false,
	} {
		self.ServerName = names
		if err := asks(t, self, root); good {
			require.NoError(t, err, names)
		} else {
			require.ErrorIs(t, err, comet.ErrUnauthorized, names)
		}
	}
	// Settings come before the user data.
	self.ServerName = "head.comet.example.net"
	other := guest.Trust{Names: tlsconfig.Names{Accept: map[string][]string{"": {"other.example.net"}}}}
	require.ErrorIs(t, asksTrusting(t, other, self, root), comet.ErrUnauthorized)
	self.ServerName = "other.example.net"
	require.NoError(t, asksTrusting(t, guest.Trust{Names: tlsconfig.Names{Any: true}}, self, root))
}

// The heads of the seed are known by their addresses, and their certificates are issued by a CA that certifies strangers.
func TestAPublicCANeedsNames(t *testing.T) {
	issued, err := tlsconfig.SelfSigned(tlsconfig.Template{CommonName: "DigiCert SHA2 Secure Server CA", Organization: "DigiCert Inc", CA: true})
	require.NoError(t, err)
	authority, err := tlsconfig.AuthorityFrom(issued)
	require.NoError(t, err)
	s := newSliceAt(t, comettest.StartUnder(t, 1, authority))
	s.named("comet-hn1.exogeni.net")
	self, root := s.userData("own", "own", "all"), t.TempDir()
	anyName := guest.Trust{Names: tlsconfig.Names{Any: true}}

	err = asksTrusting(t, anyName, self, root)
	require.ErrorIs(t, err, tlsconfig.ErrPublicCA)
	require.ErrorContains(t, err, "give the server names to accept instead")
	self.CACert = nil
	write(t, filepath.Join(root, guest.DefaultCA), authority.Certificate().Raw)
	require.ErrorIs(t, asksTrusting(t, anyName, self, root), tlsconfig.ErrPublicCA)
	require.Zero(t, s.heads.Handshakes(0))

	require.ErrorIs(t, asks(t, self, root), comet.ErrUnauthorized)
	self.ServerName = "*.exogeni.net"
	require.NoError(t, asks(t, self, root))
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path+".new", content, 0o644))
	require.NoError(t, os.Rename(path+".new", path))
}

func TestSettingsComeBeforeUserDataAndUserDataBeforeTheImage(t *testing.T) {
	s, another := newSlice(t), newSlice(t)
	right, wrong := s.heads.Authority().Certificate().Raw, another.heads.Authority().Certificate().Raw
	root := t.TempDir()
	file := filepath.Join(t.TempDir(), "ca")
	self := s.userData("own", "own", "all")
	trust := guest.Trust{Files: tlsconfig.Files{CA: file}}

	self.CACert = wrong
	write(t, file, right)
	write(t, filepath.Join(root, guest.DefaultCA), wrong)
	require.NoError(t, asksTrusting(t, trust, self, root))
	require.ErrorIs(t, asks(t, self, root), comet.ErrUnauthorized)
	self.CACert = right
	require.NoError(t, asks(t, self, root))
	write(t, file, wrong)
	require.ErrorIs(t, asksTrusting(t, trust, self, root), comet.ErrUnauthorized)

	// The settings' file is followed.
	client, err := trust.Connect(self, root)
	require.NoError(t, err)
	defer client.Close()
	write(t, file, right)
	_, err = client.Version(t.Context())
	require.NoError(t, err)
	// One that is missing is not replaced by another CA.
	require.NoError(t, os.Remove(file))
	require.ErrorIs(t, asksTrusting(t, trust, self, root), fs.ErrNotExist)
}

func TestInsecureMustBeSaid(t *testing.T) {
	s := newSlice(t)
	self := s.userData("own", "own", "all")
	self.CACert = nil
	insecure := guest.Trust{Names: tlsconfig.Names{Insecure: true}}
	var log logtest.Buffer
	insecure.Logger = slog.New(slog.NewTextHandler(&log, nil))
	require.ErrorIs(t, asks(t, self, t.TempDir()), guest.ErrNoTrust)
	require.NoError(t, asksTrusting(t, insecure, self, t.TempDir()))
	require.Contains(t, log.String(), "certificates of heads are not verified")

	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"value":"{}","status":"OK","version":"1"}`))
	}))
	defer plain.Close()
	self.CometHost = plain.URL
	require.ErrorContains(t, asks(t, self, t.TempDir()), "has no TLS")
	require.NoError(t, asksTrusting(t, insecure, self, t.TempDir()))
}
