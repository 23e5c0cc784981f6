package guest_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest"
)

// What a change has done to the network shows on a new connection; and heads that are away keep a pass waiting once.
func TestHeadsAreAskedAnewAndOnceInAPass(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.pass()
	heads := m.Heads()
	asks := func(ask func(context.Context) error) int {
		before := s.heads.Handshakes(0)
		require.NoError(t, ask(t.Context()))
		return s.heads.Handshakes(0) - before
	}
	assert.Equal(t, 1, asks(heads.Reach), "over a new connection")
	assert.Equal(t, 1, asks(heads.Reach))
	assert.Zero(t, asks(heads.Reached))
	m.Look(t.Context())
	assert.Equal(t, 1, asks(heads.Reached))
	assert.Zero(t, asks(heads.Reached))

	ended, end := context.WithCancel(t.Context())
	end()
	require.Error(t, heads.Reach(ended))
	assert.Equal(t, 1, asks(heads.Reached), "who gave up has found out nothing")
}

// A machine that starts has no name server yet, and must know all the same what leads to its heads.
func TestTheAddressesOfHeadsAreKept(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	self := s.userData("own", "own", "all")
	self.CometHost = "https://localhost:8111"
	m := s.boot(self, "")
	found := m.Heads().Known()
	require.Contains(t, found, netip.MustParseAddr("127.0.0.1"))
	_, _ = m.once() // no head is there

	const unknown = "https://head.onion:8111" // which no name server is asked about
	file, err := filepath.Glob(filepath.Join(m.root, "var/lib/comet-guest/*/head-addresses"))
	require.NoError(t, err)
	require.Len(t, file, 1)
	text, err := os.ReadFile(file[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file[0], []byte(strings.Replace(string(text), "localhost", "head.onion", 1)), 0o600))
	self.CometHost = unknown
	assert.Equal(t, found, s.boot(self, m.root).Heads().Known())
	self.CometHost = unknown + ",https://other.onion:8111"
	assert.Empty(t, s.boot(self, m.root).Heads().Known(), "they are of other heads")
}

// A machine that starts has no name server yet; what a head must not be cut off by comes just then.
func TestNamesOfHeadsAreSoonLookedUpAgain(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "all")
	self := s.userData("own", "own", "all")
	self.CometHost = "https://head.example:8111,https://localhost:8111"
	heads := s.boot(self, "").Heads()
	var asked atomic.Int32
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	synctest.Test(t, func(t *testing.T) {
		net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			asked.Add(1)
			return nil, errors.New("no network yet")
		}}
		known := func() int32 {
			assert.Contains(t, heads.Known(), netip.MustParseAddr("127.0.0.1"), "which needs no name server")
			return asked.Swap(0)
		}
		assert.NotZero(t, known())
		assert.Zero(t, known(), "not each time")
		time.Sleep(10 * time.Second)
		assert.NotZero(t, known())
	})
}

func TestCleanGivesInterfacesBack(t *testing.T) {
	m := newSlice(t).vm()
	const file = "etc/systemd/network/05-comet-guest-fa163e000001.network"
	m.write(file, "[Link]\nUnmanaged=yes\n")
	done, err := guest.Clean(t.Context(), m.root, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Equal(t, "remove /"+file, done[0].Text)
	assert.NoFileExists(t, filepath.Join(m.root, file))
}
