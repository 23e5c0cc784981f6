package loopback_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/loopback"
)

func TestAddressesAreTheServersOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		l, err := loopback.Listen()
		require.NoError(t, err)
		defer l.Close()
		require.False(t, seen[l.Addr().String()])
		seen[l.Addr().String()] = true
		at := l.Addr().(*net.TCPAddr)
		require.True(t, at.IP.IsLoopback())
		require.Less(t, at.Port, 32768)
	}
}
