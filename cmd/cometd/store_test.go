//go:build unix

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// startEtcd runs one member with this scheme for clients, and further arguments, and returns its address. The process ends with the
// test.
func startEtcd(t *testing.T, scheme string, args ...string) (addr string) {
	t.Helper()
	binary, err := exec.LookPath("etcd")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no etcd: install the package etcd-server")
		}
		t.Skip("there is no etcd: install the package etcd-server to run this test")
	}
	free := freeAddresses(t)
	c := exec.Command(binary, append([]string{
		"--name", "m0", "--data-dir", filepath.Join(t.TempDir(), "m0"),
		"--listen-client-urls", scheme + "://" + free[0], "--advertise-client-urls", scheme + "://" + free[0],
		"--listen-peer-urls", "http://" + free[1], "--initial-advertise-peer-urls", "http://" + free[1],
		"--initial-cluster", "m0=http://" + free[1], "--listen-metrics-urls", "http://" + free[2],
	}, args...)...)
	c.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH="+runtime.GOARCH)
	require.NoError(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	require.Eventually(t, func() bool {
		r, err := http.Get("http://" + free[2] + "/health")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return strings.Contains(string(body), "true")
	}, time.Minute, 20*time.Millisecond)
	return free[0]
}

// freeAddresses are those of ports that nobody has, for a process that is started now.
func freeAddresses(t *testing.T) (free [3]string) {
	t.Helper()
	for i := range free {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		free[i] = l.Addr().String()
	}
	return free
}

func TestHeadsShareAnEtcd(t *testing.T) {
	store := "etcd://" + startEtcd(t, "http") + "/comet"
	dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	a, b := serveHead(t, dirs[0], nil, "--store", store), serveHead(t, dirs[1], []string{"COMET_STORE=" + store})
	for i, h := range []*head{a, b} {
		code, body, err := h.call("POST", "/writeScope", fmt.Sprint("vm-", i), "one")
		require.NoError(t, err)
		require.Equal(t, 200, code, body)
	}
	want := map[string]string{"vm-0": "one", "vm-1": "one"}
	require.Equal(t, want, a.entries())
	_, version, err := a.call("GET", "/getVersion", "", "")
	require.NoError(t, err)
	_, other, err := b.call("GET", "/getVersion", "", "")
	require.NoError(t, err)
	require.Equal(t, version, other, "the stores have different identities")

	require.NoError(t, a.process.Process.Kill())
	require.Equal(t, want, b.entries())
	b.terminate()
	for _, dir := range dirs {
		require.DirExists(t, filepath.Join(dir, "certs"))
		require.NoFileExists(t, filepath.Join(dir, "comet.db"))
	}
	for _, planted := range []string{readToken, writeToken} {
		require.NotContains(t, b.log.String(), planted)
	}
	require.Contains(t, b.log.String(), "without TLS")
}

func TestStoreOverTLSWithOwnCertificatesAndNoFolder(t *testing.T) {
	certs, err := tlsconfig.WriteDevelopment(t.TempDir())
	require.NoError(t, err)
	store := "etcd://" + startEtcd(t, "https", "--cert-file", certs.Server.Cert, "--key-file", certs.Server.Key, "--client-cert-auth", "--trusted-ca-file", certs.Server.CA) + "/comet"
	h := serveHead(t, "", nil, "--store", store, "--store-cacert", certs.Client.CA, "--store-cert", certs.Client.Cert, "--store-key", certs.Client.Key,
		"--cacert", certs.Server.CA, "--cert", certs.Server.Cert, "--key", certs.Server.Key, "--no-client-certs")
	code, body, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	require.Equal(t, map[string]string{"vm": "one"}, h.entries())
	h.terminate()
}

func TestStoreThatCannotBe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("Planted\n"), 0o600))
	url := "etcd://127.0.0.1:1/comet"
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--store", "etcd://me:Planted@h1:2379/comet"}, "user and password do not belong in it"},
		{[]string{"--store", "http://h1:2379/comet"}, "does not begin with etcd://"},
		{[]string{"--store", "etcd://h1:2379"}, "needs a prefix"},
		{[]string{"--store-cacert", file}, "of no use without --store"},
		{[]string{"--store-user", "me"}, "of no use without --store"},
		{[]string{"--store", url, "--store-cert", file}, "--store-cert and --store-key go together"},
		{[]string{"--store", url, "--store-cert", file, "--store-key", file}, "with --store-cacert"},
		{[]string{"--store", url, "--store-user", "me"}, "--store-user and --store-password-file go together"},
		{[]string{"--store", url, "--store-user", "me", "--store-password-file", file + "-missing"}, file + "-missing"},
	} {
		code, stdout, stderr := output(t, nil, append([]string{"serve", "--data", dir}, c.args...)...)
		assert.Equal(t, 2, code, stderr)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, c.says)
		assert.NotContains(t, stderr, "Planted")
		assert.NoDirExists(t, dir)
	}
	code, _, stderr := output(t, nil, "serve", "--store", url)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "serve needs --data DIR for its certificates, or --cacert, --cert and --key")

	code, _, stderr = output(t, nil, "serve", "--data", dir, "--store", url, "--store-cacert", file)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, file)

	code, _, stderr = output(t, nil, "serve", "--data", dir, "--store", url, "--log-level", "error")
	require.Equal(t, 1, code)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.Contains(t, stderr, "store "+url+": etcd does not answer")
	require.Contains(t, stderr, "connection refused")
}
