// Package headtest runs a head in a process of its own, for benchmarks that measure what a client does and want the head's work
// elsewhere. The test binary itself is that process: TestMain calls Main first.
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

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// variable names the folder of the head, in the process that is to be one.
const variable = "TEST_BE_HEAD"

// Main does not return where the process was started to be a head.
func Main() {
	if dir := os.Getenv(variable); dir != "" {
		fmt.Fprintln(os.Stderr, serve(dir))
		os.Exit(1)
	}
}

func serve(dir string) error {
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("https://%s\n", l.Addr())
	log := slog.New(slog.DiscardHandler)
	return server.Serve(context.Background(), server.New(store, server.WithLogger(log), server.WithTrust(live.Trusted)), live.Server(), l)
}

// Start starts a head, which ends with the test, and returns its URL and the configuration of a client that it trusts.
func Start(t testing.TB) (url string, config *tls.Config) {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), variable+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	_, err = fmt.Fscanln(out, &url)
	require.NoError(t, err)
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs")) // which are there already
	require.NoError(t, err)
	return url, client(t, certs.Client)
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
	return tlsconfig.Client(roots, &identity)
}
