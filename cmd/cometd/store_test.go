//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func TestHeadsShareAnEtcd(t *testing.T) {
	store := etcdtest.Start(t, 1).URL("/comet")
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
	store := etcdtest.StartTLS(t, 1, "https", "--cert-file", certs.Server.Cert, "--key-file", certs.Server.Key, "--client-cert-auth", "--trusted-ca-file", certs.Server.CA).URL("/comet")
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
	require.Contains(t, stderr, "a head needs --data DIR for its certificates, or --cacert, --cert and --key")

	code, _, stderr = output(t, nil, "serve", "--data", dir, "--store", url, "--store-cacert", file)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, file)

	code, _, stderr = output(t, nil, "serve", "--data", dir, "--store", url, "--log-level", "error")
	require.Equal(t, 1, code)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.Contains(t, stderr, "store "+url+": etcd does not answer")
	require.Contains(t, stderr, "connection refused")
}
