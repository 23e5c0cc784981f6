package service_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/internal/logtest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// vm is a VM with place-holders on a head, and a machine below a folder.
type vm struct {
	*testing.T
	heads  *comettest.Heads
	tokens scope.Tokens
	root   string
	set    settings.Settings
	log    *logtest.Buffer
}

func newVM(t *testing.T) *vm {
	t.Helper()
	heads := comettest.Start(t, 1)
	v := &vm{T: t, heads: heads, tokens: scope.NewTokens(), root: t.TempDir(), set: settings.Defaults(), log: new(logtest.Buffer)}
	v.set.Address, v.set.Every = "10.0.0.1", 10*time.Millisecond
	v.placeHolders(v.tokens)
	return v
}

func (v *vm) placeHolders(tokens scope.Tokens) {
	v.Helper()
	for family, value := range map[string][]byte{"hostsall": scope.Encode(scope.Host{HostName: "own"}), "pubkeysall": scope.Encode(scope.PubKey{})} {
		_, err := v.heads.Client().Write(v.Context(), scope.MustName("slice", family, "own"), tokens, value)
		require.NoError(v, err)
	}
}

func (v *vm) userData(tokens scope.Tokens) orca.UserData {
	all := []string{"all"}
	name := scope.MustName("slice", "any", "own")
	return orca.UserData{
		Identity:  orca.Identity{SliceID: name.Context, ReservationID: name.Key, HostName: "own"},
		CometHost: v.heads.List(),
		CACert:    v.heads.Authority().Certificate().Raw,
		Slice:     orca.SliceAccess{Tokens: tokens, HostsRead: all, HostsWrite: all, PubKeysRead: all, PubKeysWrite: all},
	}
}

func (v *vm) service() *service.Service {
	return &service.Service{Root: v.root, Settings: func() (settings.Settings, error) { return v.set, nil },
		Log: slog.New(slog.NewTextHandler(v.log, nil)), Version: "test"}
}

func (v *vm) value(tokens scope.Tokens) string {
	v.Helper()
	e, err := v.heads.Client().Read(v.Context(), scope.MustName("slice", "hostsall", "own"), tokens.Read)
	require.NoError(v, err)
	return string(e.Value)
}

// Flags say who the VM is on a machine that has known nothing before, and what they say now counts, not what they said before.
func TestFlagsAloneSayWhoTheVMIs(t *testing.T) {
	v := newVM(t)
	s := v.service()
	s.Given = &identity.Given{UserData: v.userData(v.tokens)}
	_, err := s.Once(t.Context())
	require.NoError(t, err)
	assert.Contains(t, v.value(v.tokens), "10.0.0.1")

	others := scope.NewTokens()
	v.placeHolders(others)
	s = v.service()
	s.Given = &identity.Given{UserData: v.userData(others)}
	_, err = s.Once(t.Context())
	require.NoError(t, err)
	assert.Contains(t, v.value(others), "10.0.0.1")
}

// Nova has a random seed in its metadata, another one in each answer.
func TestARandomSeedIsNothingNew(t *testing.T) {
	v := newVM(t)
	u := v.userData(v.tokens)
	list, err := u.Metadata()
	require.NoError(t, err)
	meta := map[string]string{}
	for _, kv := range list {
		meta[kv.Key] = kv.Value.Reveal()
	}
	meta["cometcacert"] = base64.StdEncoding.EncodeToString(u.CACert)
	asked := make(chan struct{}, 1000)
	cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openstack/latest/meta_data.json" {
			http.NotFound(w, r)
			return
		}
		asked <- struct{}{}
		_ = json.NewEncoder(w).Encode(map[string]any{"uuid": "an-instance", "hostname": "own", "meta": meta, "random_seed": rand.Text()})
	}))
	defer cloud.Close()
	v.set.Source, v.set.Metadata = "metadata", cloud.URL

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	reload := make(chan struct{})
	go func() { ended <- v.service().Run(ctx, reload) }()
	for range 4 { // at first, when the guest begins, and after each reload
		<-asked
		select {
		case reload <- struct{}{}:
		case err := <-ended:
			require.FailNow(t, "it ended", "%v\n%s", err, v.log)
		}
	}
	cancel()
	require.NoError(t, <-ended)
	assert.NotContains(t, v.log.String(), "something new")
	assert.FileExists(t, filepath.Join(v.root, "run/comet-guest/status.json"))
	info, err := os.Stat(filepath.Join(v.root, "run/comet-guest/run.lock"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode(), "who may open it may lock it")
}

// Modules that were not asked for are neither looked at nor taken back.
func TestOnlySomeModules(t *testing.T) {
	v := newVM(t)
	v.set.Only = []string{"publish"}
	s := v.service()
	s.Given = &identity.Given{UserData: v.userData(v.tokens)}
	st, err := s.Once(t.Context())
	require.NoError(t, err)
	require.Len(t, st.Modules, 1)
	assert.Equal(t, "publish", st.Modules[0].Name)
}
