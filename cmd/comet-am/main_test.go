package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// run is comet-am with these arguments.
func run(ctx context.Context, args ...string) (code int, says string) {
	var out bytes.Buffer
	code = cli.Run(ctx, app(), append([]string{"comet-am"}, args...), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
	return code, out.String()
}

// Somebody else has the tokens' lock, and the time runs out or somebody ends the command: that is no bad input.
func TestWaitingInVainForTheTokensIsNoBadInput(t *testing.T) {
	dir := t.TempDir()
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	require.NoError(t, err)
	lock, err := os.Create(filepath.Join(dir, "master.saved.lock"))
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	const vm = "../../testdata/slice/master.properties"
	slice := filepath.Join(dir, "slice.yaml")
	properties, err := filepath.Abs(vm)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(slice, []byte("sliceId: 6d3de7cc-7188-49b2-af48-f21497450d84\nvms:\n"+
		"- {hostName: master, reservationId: ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7, properties: "+properties+"}\n"), 0o600))
	heads := []string{"--comethost", "https://127.0.0.1:1/", "--cacert", certs.CA, "--cert", certs.Client.Cert, "--key", certs.Client.Key, "--timeout", "50ms"}
	saved := filepath.Join(dir, "master.saved")
	ended, end := context.WithCancel(t.Context())
	end()
	for _, args := range [][]string{
		append([]string{"userdata", "--properties", vm, "--save", saved, "--out", filepath.Join(dir, "x.ini")}, heads...),
		append([]string{"generate", "--properties", vm, "--save", saved}, heads...),
		append([]string{"generate", "--slice", slice, "--save-dir", dir}, heads...),
	} {
		code, says := run(t.Context(), args...)
		assert.Equal(t, cli.ExitFailed, code, says)
		code, says = run(ended, args...)
		assert.Equal(t, cli.ExitFailed, code, says)
		code, says = run(t.Context(), append(args[:len(args)-1:len(args)-1], "nonsense")...)
		assert.Equal(t, cli.ExitInput, code, says)
	}
	assert.NoFileExists(t, saved)
}
