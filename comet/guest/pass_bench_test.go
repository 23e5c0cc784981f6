package guest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// BenchmarkPass is a pass of a VM that has learned a slice of a thousand, and a round in which it asks for all of it once more.
func BenchmarkPass(b *testing.B) {
	heads := comettest.Start(b, 1, server.WithoutExtensions())
	id := scope.MustName("slice", "any", "any").Context
	s := &slice{nil, heads, heads.Client(), id, scope.NewToken(), scope.NewToken()}
	for i := range 1000 {
		name := fmt.Sprintf("vm-%d", i)
		host := scope.Host{HostName: name, IP: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), SSHHostKeys: newKey(b, "")}
		for family, value := range map[string][]byte{"hostsall": scope.Encode(host), "pubkeysall": scope.Encode(scope.PubKey{PublicKey: newKey(b, name) + "\n"})} {
			_, err := s.client.Write(b.Context(), scope.MustName("slice", family, name), s.tokens(), value)
			require.NoError(b, err)
		}
	}
	self := s.userData("vm-0", "vm-0", "all")
	client, err := guest.Connect(self, "")
	require.NoError(b, err)
	defer client.Close()
	g, err := guest.New(guest.Settings{Root: b.TempDir(), Logger: slog.New(slog.DiscardHandler)}, guest.Member{Client: client, Self: self})
	require.NoError(b, err)
	defer g.Close()
	_, err = g.Once(b.Context())
	require.NoError(b, err)
	b.Run("look", func(b *testing.B) {
		b.ReportAllocs()
		ended, cancel := context.WithCancel(b.Context())
		for b.Loop() {
			st := g.Look(ended)
			require.NotEmpty(b, st.Modules)
		}
		cancel()
	})
	b.Run("round", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := g.Once(b.Context())
			require.NoError(b, err)
		}
	})
}
