package main

import (
	"bytes"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

func TestExample(t *testing.T) {
	heads := comettest.Start(t, 2)
	tokens := scope.NewTokens()
	_, err := heads.Client().Write(t.Context(), scope.MustName("s", "hostsall", "rid-1"), tokens,
		scope.Encode(scope.Host{HostName: "workers-0", IP: "152.54.14.31"}))
	require.NoError(t, err)

	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: heads.Authority().Certificate().Raw})
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, heads.List(), ca, "s", tokens.Read))
	require.Equal(t, "152.54.14.31\tworkers-0\n", out.String())
}
