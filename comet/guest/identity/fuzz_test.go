package identity_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// requireKept requires an identity that names a folder, with an address that others can use, which is kept as it is.
func requireKept(t *testing.T, self identity.Identity) {
	t.Helper()
	require.Regexp(t, `^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`, self.InstanceID)
	if self.Private.IsValid() {
		require.True(t, self.Private.IsGlobalUnicast())
	}
	kept, err := identity.Parse(self.Marshal())
	require.NoError(t, err)
	require.Equal(t, self, kept)
}

// FuzzConfigDrive: what a drive holds is an identity, or refused in one line without a word of it. Every ~ stands for a secret.
func FuzzConfigDrive(f *testing.F) {
	f.Add(ini(f), metadata(f), driveEC2)
	f.Add("#!/bin/sh\n~", metadata(f), "{}")
	f.Add(compressed(f, ini(f)), "{}", `{"instance-id":"i/../..","local-ipv4":"fe80::1%a"}`)
	f.Add("[global]\nslice_id=~\x01", "<html>~", `{"~":"~","instance-id":"~ ~","public-ipv4":"~"}`)
	folder := documents{osUserData: "", osMetadata: "", driveFacts: ""}.folder(f)
	drive := identity.ConfigDrive{Folder: folder}
	f.Fuzz(func(t *testing.T, user, meta, facts string) {
		for name, text := range map[string]string{osUserData: user, osMetadata: meta, driveFacts: facts} {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(plant.In(text)), 0o600))
		}
		self, err := find(t, drive)
		if err != nil {
			plant.RequirePlain(t, err)
			return
		}
		requireKept(t, self)
	})
}

// FuzzMetadata: what a metadata service says is an identity, or refused in one line without a word of it, also where what it says of user
// data is no HTTP. Every ~ stands for a secret.
func FuzzMetadata(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: "
	f.Add("", metadata(f), "i-0abc", "10.0.0.7")
	f.Add(head+"20\r\n\r\n[global]\nslice_id=s\n", "", "i-0abc", "192.0.2.7\n")
	f.Add(head+"9\r\n\r\n~", metadata(f), "~", "~")
	f.Add("~", "<html>~</html>", "../..", "fe80::1%~")
	f.Add("HTTP/1.1 302 ~\r\nLocation: http://~/\r\n\r\n", `{"meta":{"slice_id":["~"]}}`, "", "")
	f.Add("HTTP/1.1 401 ~\r\n~: ~\r\n\r\n~", "", "", "127.0.0.1")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n~\r\n", "", "", "")
	var now atomic.Pointer[cloud]
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().serve(w, r) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	f.Cleanup(s.Close)
	service := identity.Metadata{Base: s.URL, Timeout: 10 * time.Second}
	f.Fuzz(func(t *testing.T, raw, meta, id, address string) {
		now.Store(&cloud{plant.In(raw), documents{osMetadata: plant.In(meta), instanceID: plant.In(id), localIPv4: plant.In(address)}})
		self, err := find(t, service)
		if err != nil {
			plant.RequirePlain(t, err)
			return
		}
		requireKept(t, self)
	})
}

// cloud is a metadata service whose answer about user data is these bytes and the end of the connection.
type cloud struct {
	raw string
	documents
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	if c.raw == "" || r.URL.Path != "/"+userData {
		c.documents.serve(w, r)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, c.raw)
	_ = conn.Close()
}

// FuzzParseAddress: a setting is the same when it is written again, or refused in one line.
func FuzzParseAddress(f *testing.F) {
	for _, setting := range []string{"", "auto", "public ", "interface eth0", "interface \x1b[2J", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1%\n", "2001:db8::1%eth0", "127.0.0.1", "10.0.0.1/24"} {
		f.Add(setting)
	}
	f.Fuzz(func(t *testing.T, setting string) {
		a, err := identity.ParseAddress(setting)
		if err != nil {
			plant.RequireLine(t, err.Error())
			return
		}
		plant.RequireLine(t, a.String())
		again, err := identity.ParseAddress(a.String())
		require.NoError(t, err)
		require.Equal(t, a.String(), again.String())
	})
}
