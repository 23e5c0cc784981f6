package comet_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// beHead makes the test binary a head that keeps its things in the folder that the variable names: benchmarks measure a client, and
// want the head's work in another process.
const beHead = "TEST_BE_HEAD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(beHead); dir != "" {
		fmt.Fprintln(os.Stderr, serveHead(dir))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func serveHead(dir string) error {
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

// headProcess starts a head in a process of its own and returns its URL and what a client of it is configured with.
func headProcess(t testing.TB) (url string, files tlsconfig.Files) {
	dir := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), beHead+"="+dir)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	_, err = fmt.Fscanln(out, &url)
	require.NoError(t, err)
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	require.NoError(t, err)
	return strings.TrimSpace(url), certs.Client
}
