package identity_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a cloud says, by the names of its documents.
const (
	userData      = "latest/user-data"
	instanceID    = "latest/meta-data/instance-id"
	publicIPv4    = "latest/meta-data/public-ipv4"
	localIPv4     = "latest/meta-data/local-ipv4"
	osUserData    = "openstack/latest/user_data"
	osMetadata    = "openstack/latest/meta_data.json"
	driveUserData = "ec2/latest/user-data"
	driveFacts    = "ec2/latest/meta-data.json"
)

type documents map[string]string

// cloud serves documents as a metadata service does.
func (d documents) cloud(t testing.TB) identity.Metadata {
	return serve(t, d.serve)
}

func (d documents) serve(w http.ResponseWriter, r *http.Request) {
	text, ok := d[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(text))
}

func serve(t testing.TB, handler http.HandlerFunc) identity.Metadata {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return identity.Metadata{Base: s.URL, Timeout: 10 * time.Second}
}

// folder lays the documents out as files.
func (d documents) folder(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range d {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return folder
}

func (d documents) and(more documents) documents {
	all := documents{}
	for _, one := range []documents{d, more} {
		for name, text := range one {
			all[name] = text
		}
	}
	return all
}

// fixture is a file that stands for what a cloud says.
func fixture(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../testdata", name))
	require.NoError(t, err)
	return string(text)
}

func ini(t testing.TB) string      { return fixture(t, "slice/workers-0.userdata.ini") }
func metadata(t testing.TB) string { return fixture(t, "chameleon/meta_data.json") }

const (
	iniKey  = "2c93dae4-9fb6-4d2e-bae0-b404aa06e36b" // of the VM in the ini file
	metaKey = "2c93dae4-9fb6-4d2e-bae0-b404aa06e399" // of the one in the metadata
	uuid    = "0b6e8a9e-2f5c-4a6e-9d7e-3f1d7f0a6b10"
)

// ec2 is what EC2 says of a VM.
var ec2 = documents{instanceID: "i-0abc", publicIPv4: "192.0.2.7\n", localIPv4: "10.0.0.7"}

func compressed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func find(t testing.TB, sources ...identity.Source) (identity.Identity, error) {
	t.Helper()
	return identity.Search{Sources: sources}.Find(t.Context())
}

// found finds the VM, which must be there.
func found(t testing.TB, sources ...identity.Source) identity.Identity {
	t.Helper()
	self, err := find(t, sources...)
	require.NoError(t, err)
	return self
}

// refused returns why nobody says who the VM is: in one line, without a secret.
func refused(t testing.TB, sources ...identity.Source) string {
	t.Helper()
	_, err := find(t, sources...)
	var none *identity.NotFoundError
	require.ErrorAs(t, err, &none)
	assert.Len(t, none.Reasons, len(sources))
	for _, secret := range []string{"hunter2", "\n", "sliceReadK3mZ9q", "2bb5f982Ra"} {
		require.NotContains(t, err.Error(), secret)
	}
	return err.Error()
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// source is one whose answer is a function.
type source struct {
	name string
	look func(context.Context) (identity.Identity, error)
}

func (s source) Name() string { return s.name }

func (s source) Look(ctx context.Context) (identity.Identity, error) { return s.look(ctx) }
