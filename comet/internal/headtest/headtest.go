// Package headtest runs a head in a process of its own: for benchmarks that measure what a client does and want the head's work
// elsewhere, and for tests that kill it. The test binary itself is that process: TestMain calls Main first.
package headtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/loopback"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// What the process that is to be a head is told: its folder and its address.
const (
	folderVariable  = "TEST_BE_HEAD"
	addressVariable = "TEST_HEAD_ADDRESS"
)

// Main does not return where the process was started to be a head.
func Main() {
	if dir := os.Getenv(folderVariable); dir != "" {
		fmt.Fprintln(os.Stderr, serve(dir, os.Getenv(addressVariable)))
		os.Exit(1)
	}
}

func serve(dir, address string) error {
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	if err != nil {
		return err
	}
	live, err := tlsconfig.Open(certs.Server, tlsconfig.Names{})
	if err != nil {
		return err
	}
	store, err := bolt.Open(filepath.Join(dir, "comet.db"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	beside, err := loopback.Listen()
	if err != nil {
		return err
	}
	go serveBare(beside, live.Server())
	fmt.Printf("https://%s\n", beside.Addr())
	log := slog.New(slog.DiscardHandler)
	return server.Serve(context.Background(), server.New(store, server.WithLogger(log), server.WithTrust(live.Trusted)), live.Server(), l)
}

// Head is a head in a process of its own, with an embedded store.
type Head struct {
	URL string

	bare    string // the URL of what is beside it
	t       testing.TB
	dir     string
	address string
	run     *exec.Cmd
}

// Start starts a head, which ends with the test, and returns its URL and the configuration of a client that it trusts. Where the
// environment names a deployed head (see Deployed), it is that one.
func Start(t testing.TB) (url string, config *tls.Config) {
	t.Helper()
	if os.Getenv(Deployed) != "" {
		return deployed(t)
	}
	h := New(t)
	return h.URL, h.TLS()
}

// New starts a head, which ends with the test.
func New(t testing.TB) *Head {
	t.Helper()
	l, err := loopback.Listen()
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	h := &Head{URL: "https://" + address, t: t, dir: t.TempDir(), address: address}
	h.Restart()
	t.Cleanup(h.Kill)
	return h
}

// Restart starts a killed head again, on the same store and at the same address, and returns when it serves.
func (h *Head) Restart() {
	h.t.Helper()
	h.run = exec.Command(os.Args[0])
	h.run.Env = append(os.Environ(), folderVariable+"="+h.dir, addressVariable+"="+h.address)
	h.run.Stderr = os.Stderr
	out, err := h.run.StdoutPipe()
	require.NoError(h.t, err)
	require.NoError(h.t, h.run.Start())
	_, err = fmt.Fscanln(out, &h.bare)
	require.NoError(h.t, err)
}

// Kill ends the process at whatever point it has reached.
func (h *Head) Kill() {
	h.run.Process.Kill()
	h.run.Wait()
}

// TLS returns a fresh configuration for a client that the head trusts.
func (h *Head) TLS() *tls.Config {
	h.t.Helper()
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(h.dir, "certs")) // which are there already
	require.NoError(h.t, err)
	return client(h.t, certs.Client)
}

func client(t testing.TB, files tlsconfig.Files) *tls.Config {
	t.Helper()
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		return text
	}
	roots, err := tlsconfig.ParseCA(read(files.CA), tlsconfig.Password{})
	require.NoError(t, err)
	identity, err := tlsconfig.ParseKeyPair(read(files.Cert), read(files.Key), tlsconfig.Password{})
	require.NoError(t, err)
	config := tlsconfig.Client(roots, &identity)
	config.ClientSessionCache = nil // each client keeps sessions for itself, as on a machine of its own
	return config
}
