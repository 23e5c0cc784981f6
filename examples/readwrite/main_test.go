package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestExample(t *testing.T) {
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "certs"))
	require.NoError(t, err)
	authority, err := tlsconfig.LoadAuthority(certs.Dir)
	require.NoError(t, err)
	heads := comettest.StartUnder(t, 2, authority)

	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, heads.List(), certs.Dir))
	require.Equal(t, `created my-slice/hostsall/vm-1
{"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"10.0.0.1\"}]"}
removed my-slice/hostsall/vm-1
`, out.String())
}
