package tlsconfig_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// head is a TLS server on loopback. It answers each connection with one byte after its handshake.
type head struct {
	addr   string
	states chan tls.ConnectionState // of handshakes that succeeded
	errs   chan error               // of those that did not
}

func serve(t *testing.T, config *tls.Config) *head {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	h := &head{addr: listener.Addr().String(), states: make(chan tls.ConnectionState, 100), errs: make(chan error, 100)}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { h.answer(conn.(*tls.Conn)) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); open.Wait() })
	return h
}

func (h *head) answer(conn *tls.Conn) {
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		h.errs <- err
		return
	}
	h.states <- conn.ConnectionState()
	_, _ = conn.Write([]byte{'!'})
}

// call makes one connection and waits for the answer: with TLS 1.3 a refusal by the head shows only there.
func call(config *tls.Config, addr string) (tls.ConnectionState, error) {
	dialer := &tls.Dialer{Config: config, NetDialer: &net.Dialer{Timeout: 10 * time.Second}}
	conn, err := dialer.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1))
	return conn.(*tls.Conn).ConnectionState(), err
}

func authority(t testing.TB, name string) *tlsconfig.Authority {
	t.Helper()
	a, err := tlsconfig.NewAuthority(name, 90*24*time.Hour)
	require.NoError(t, err)
	return a
}

func issue(t testing.TB, a *tlsconfig.Authority, template tlsconfig.Template) tls.Certificate {
	t.Helper()
	identity, err := a.Issue(template)
	require.NoError(t, err)
	return identity
}

// below returns a CA that a issued.
func below(t testing.TB, a *tlsconfig.Authority, name string) *tlsconfig.Authority {
	t.Helper()
	lower, err := tlsconfig.AuthorityFrom(issue(t, a, tlsconfig.Template{CommonName: name, CA: true}))
	require.NoError(t, err)
	return lower
}

func certPEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return b.Bytes()
}

func chainPEM(identity tls.Certificate) []byte {
	var b bytes.Buffer
	for _, der := range identity.Certificate {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return b.Bytes()
}

func keyPEM(t testing.TB, identity tls.Certificate) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(identity.PrivateKey)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// folder is a folder of certificates that a Live follows.
type folder string

func newFolder(t testing.TB) folder { return folder(t.TempDir()) }

// put replaces a file whole, as careful tools do.
func (f folder) put(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(string(f), name)
	require.NoError(t, os.WriteFile(path+".new", data, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}

func (f folder) putIdentity(t testing.TB, name string, identity tls.Certificate) {
	t.Helper()
	f.put(t, name+".pem", chainPEM(identity))
	f.put(t, name+".key", keyPEM(t, identity))
}

// files names ca.pem and, with an identity, NAME.pem and NAME.key.
func (f folder) files(identity string) tlsconfig.Files {
	files := tlsconfig.Files{CA: filepath.Join(string(f), "ca.pem")}
	if identity != "" {
		files.Cert, files.Key = filepath.Join(string(f), identity+".pem"), filepath.Join(string(f), identity+".key")
	}
	return files
}

// open opens files without the background look, unless options say otherwise, and closes at the end of the test.
func open(t testing.TB, files tlsconfig.Files, names tlsconfig.Names, opts ...tlsconfig.Option) *tlsconfig.Live {
	t.Helper()
	live, err := tlsconfig.Open(files, names, append([]tlsconfig.Option{quiet, tlsconfig.WithInterval(0)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, live.Close()) })
	return live
}

// journal is a logger that can be waited for.
type journal struct {
	mu    sync.Mutex
	text  strings.Builder
	lines chan string
}

func newJournal() *journal { return &journal{lines: make(chan string, 1000)} }

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(line)
	j.lines <- string(line)
	return len(line), nil
}

func (j *journal) option() tlsconfig.Option {
	return tlsconfig.WithLogger(slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// wait takes lines until one contains what; the test's own deadline ends a vain wait.
func (j *journal) wait(t *testing.T, what string) string {
	t.Helper()
	for {
		select {
		case line := <-j.lines:
			if strings.Contains(line, what) {
				return line
			}
		case <-t.Context().Done():
			t.Fatalf("not logged: %s\n%s", what, j)
		}
	}
}
