package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestExample(t *testing.T) {
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "certs"))
	require.NoError(t, err)
	live, err := tlsconfig.Open(certs.Server, tlsconfig.Names{})
	require.NoError(t, err)
	defer live.Close()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	defer store.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, server.New(store, server.WithTrust(live.Trusted)), live.Server(), l) }()

	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, "https://"+l.Addr().String()+"/", certs.Dir))
	require.Equal(t, `created my-slice/hostsall/vm-1
{"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"10.0.0.1\"}]"}
removed my-slice/hostsall/vm-1
`, out.String())
	cancel()
	require.NoError(t, <-ended)
}
