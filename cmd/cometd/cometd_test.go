//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// The test binary is also cometd: with beCometd set it runs main instead of the tests. With maxFile, files cannot grow beyond so
// many bytes, as on a full disk.
const (
	beCometd = "TEST_BE_COMETD"
	maxFile  = "TEST_MAX_FILE"
)

func TestMain(m *testing.M) {
	if os.Getenv(beCometd) == "" {
		os.Exit(m.Run())
	}
	if size, err := strconv.ParseUint(os.Getenv(maxFile), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size}); err != nil {
			panic(err)
		}
	}
	main()
}

// cometd is the command, not yet started, in an environment without settings of ours.
func cometd(env []string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "COMET") {
			c.Env = append(c.Env, e)
		}
	}
	// Under the race detector a process sleeps a second before it ends, unless told.
	c.Env = append(append(c.Env, beCometd+"=1", "GORACE=atexit_sleep_ms=0", "COMET_LISTEN=127.0.0.1:0"), env...)
	return c
}

// output runs cometd to its end.
func output(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	c := cometd(env, args...)
	c.Stdout, c.Stderr = &out, &errOut
	if err := c.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return c.ProcessState.ExitCode(), out.String(), errOut.String()
}

const (
	readToken  = "Planted-Read-Token-1"
	writeToken = "Planted-Write-Token-1"
)

// head is a cometd that serves.
type head struct {
	*testing.T
	process *exec.Cmd
	base    string            // https://HOST:PORT
	ready   map[string]string // what the ready line says
	log     *bytes.Buffer     // to be read once the process has ended
	client  *http.Client      // with the identity of the ready line, where it names one
}

func serveHead(t *testing.T, dir string, env []string, args ...string) *head {
	t.Helper()
	h := &head{T: t, log: new(bytes.Buffer), ready: map[string]string{}}
	h.process = cometd(env, append([]string{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--log-level", "debug"}, args...)...)
	h.process.Stderr = h.log
	out, err := h.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.process.Start())
	t.Cleanup(func() { h.process.Process.Kill(); h.process.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.process.Wait()
		require.NoError(t, err, h.log.String())
	}
	fields := strings.Fields(line)
	require.Equal(t, "ready", fields[0])
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		h.ready[name] = value
	}
	h.base = strings.TrimSuffix(strings.Split(h.ready["comethost"], ",")[0], "/")
	h.client = h.newClient()
	return h
}

func (h *head) newClient() *http.Client {
	h.Helper()
	pem, err := os.ReadFile(h.ready["cacert"])
	require.NoError(h, err)
	roots := x509.NewCertPool()
	require.True(h, roots.AppendCertsFromPEM(pem))
	config := &tls.Config{RootCAs: roots}
	if h.ready["cert"] != "" {
		identity, err := tls.LoadX509KeyPair(h.ready["cert"], h.ready["key"])
		require.NoError(h, err)
		config.Certificates = []tls.Certificate{identity}
	}
	transport := &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64}
	h.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// call returns the answer's code and its body; an error where no answer came.
func (h *head) call(method, path, key, body string) (int, string, error) {
	q := url.Values{"contextID": {"slice"}, "family": {"hostsall"}, "Key": {key}, "readToken": {readToken}, "writeToken": {writeToken}}
	r, err := http.NewRequest(method, h.base+path+"?"+q.Encode(), strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	response, err := h.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// entries is all that the read token shows, by key.
func (h *head) entries() map[string]string {
	h.Helper()
	code, body, err := h.call("GET", "/enumerateScope", "", "")
	require.NoError(h, err)
	require.Equal(h, 200, code, body)
	var answer struct {
		Value struct {
			Entries []struct{ Key, Value string }
		}
	}
	require.NoError(h, json.Unmarshal([]byte(body), &answer))
	all := map[string]string{}
	for _, e := range answer.Value.Entries {
		all[e.Key] = e.Value
	}
	return all
}

// terminate ends the head as an init system does, and requires that it ends well.
func (h *head) terminate() {
	h.Helper()
	h.client.CloseIdleConnections()
	require.NoError(h, h.process.Process.Signal(syscall.SIGTERM))
	require.NoError(h, h.process.Wait(), h.log.String())
}

func TestServeWithNothingButAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	h := serveHead(t, dir, nil)
	require.NoError(t, h.process.Process.Signal(syscall.SIGHUP), "which elsewhere means reading again")
	code, body, err := h.call("POST", "//writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	require.Equal(t, map[string]string{"vm": "one"}, h.entries())
	h.terminate()

	for path, mode := range map[string]os.FileMode{
		"": 0o700 | os.ModeDir, "comet.db": 0o600, "certs": 0o700 | os.ModeDir,
		"certs/server.key": 0o600, "certs/client.key": 0o600, "certs/ca.key": 0o600, "certs/keystore.password": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), path)
	}
	for _, name := range []string{"ca.der", "ca.pem", "server.pem", "client.pem", "client.jks", "client.p12"} {
		require.FileExists(t, filepath.Join(dir, "certs", name))
	}

	again := serveHead(t, dir, nil)
	require.Equal(t, map[string]string{"vm": "one"}, again.entries())
	again.terminate()
	require.NotContains(t, h.log.String()+again.log.String(), "Planted")
	require.NotContains(t, again.log.String(), "made certificates")
}

func TestServeSwitches(t *testing.T) {
	weak := func(h *head) (int, string) {
		q := url.Values{"contextID": {"slice"}, "family": {"f"}, "Key": {"k"}, "readToken": {"weak"}, "writeToken": {"weaker"}}
		response, err := h.client.Post(h.base+"/writeScope?"+q.Encode(), "", strings.NewReader("x"))
		require.NoError(t, err)
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(b)
	}
	anonymous := func(h *head) *head {
		h.ready["cert"] = ""
		h.client = h.newClient()
		return h
	}

	plain := serveHead(t, t.TempDir(), nil)
	code, _ := weak(plain)
	require.Equal(t, 200, code)
	code, _ = weak(anonymous(plain))
	require.Equal(t, 200, code, "modifying needs no certificate")
	_, body, err := plain.call("POST", "/writeScope", "vm", "x")
	require.NoError(t, err)
	require.Contains(t, body, "Invalid certificate: Unauthorized client")
	plain.terminate()

	strong := serveHead(t, t.TempDir(), nil, "--strong-tokens")
	code, body = weak(strong)
	require.Equal(t, 400, code)
	require.Contains(t, body, "Read token not strong enough")
	strong.terminate()

	open := anonymous(serveHead(t, t.TempDir(), []string{"COMET_NO_CLIENT_CERTS=true"}, "--strong-tokens=false"))
	code, body = weak(open)
	require.Equal(t, 200, code, body)
	open.terminate()
}

func TestServeOnManyAddresses(t *testing.T) {
	h := serveHead(t, t.TempDir(), nil, "--listen", "127.0.0.1:0", "--listen", "localhost:0")
	bases := strings.Split(h.ready["comethost"], ",")
	require.Len(t, bases, 3)
	_, _, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	for _, b := range bases {
		h.base = strings.TrimSuffix(b, "/")
		require.Equal(t, map[string]string{"vm": "one"}, h.entries())
	}
	h.terminate()
}

func TestServeWithOwnCertificates(t *testing.T) {
	files, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "own"))
	require.NoError(t, err)
	dir := t.TempDir()
	h := serveHead(t, dir, nil, "--cacert", files.CA, "--cert", files.Server.Cert, "--key", files.Server.Key)
	require.Equal(t, files.CA, h.ready["cacert"])
	require.Empty(t, h.ready["cert"])
	require.NoDirExists(t, filepath.Join(dir, "certs"))
	h.ready["cert"], h.ready["key"] = files.Client.Cert, files.Client.Key
	h.client = h.newClient()
	code, body, err := h.call("POST", "/writeScope", "vm", "one")
	require.NoError(t, err)
	require.Equal(t, 200, code, body)
	h.terminate()
}

// Several rounds of kill -9 in the middle of writes on the same folder: what was acknowledged is there, with its value.
func TestNothingAcknowledgedIsLostOnKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]string{}
	for round := range 5 {
		h := serveHead(t, dir, nil)
		h.requireAll(acknowledged)
		h.writeUntilDead(acknowledged, fmt.Sprintf("round-%d", round), int64(30+70*round))
	}
	require.Greater(t, len(acknowledged), 850)
	h := serveHead(t, dir, nil)
	h.requireAll(acknowledged)
	h.terminate()
	require.NotContains(t, h.log.String(), "Planted")
}

func (h *head) requireAll(acknowledged map[string]string) {
	h.Helper()
	there := h.entries()
	for k, v := range acknowledged {
		require.Equal(h, v, there[k], "an acknowledged write of %s is lost", k)
	}
}

// writeUntilDead writes with 16 clients, kills the head after some acknowledgements, and adds what was acknowledged.
func (h *head) writeUntilDead(acknowledged map[string]string, round string, kill int64) {
	h.Helper()
	var count atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%s-%d-%d", round, w, i)
				value := strings.Repeat(key+" ", 1+i%200)
				code, body, err := h.call("POST", "//writeScope", key, value)
				if err != nil {
					return
				}
				if !assert.Equal(h, 200, code, body) {
					return
				}
				mu.Lock()
				acknowledged[key] = value
				mu.Unlock()
				if count.Add(1) == kill {
					assert.NoError(h, h.process.Process.Kill())
				}
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(h, count.Load(), kill)
	require.Error(h, h.process.Wait())
}

// A disk that is full ends changes, not reads, and loses nothing.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	h := serveHead(t, dir, []string{maxFile + "=262144"})
	acknowledged := map[string]string{}
	refusedAt := -1
	for i := range 100 {
		key, value := fmt.Sprint("vm-", i), strings.Repeat("Planted", 1000)
		code, body, err := h.call("POST", "/writeScope", key, value)
		require.NoError(t, err)
		if code == 200 {
			require.Negative(t, refusedAt, "a write was taken after one had failed")
			acknowledged[key] = value
			continue
		}
		require.Equal(t, 500, code)
		require.Contains(t, body, `"status":"status"`)
		refusedAt = i
	}
	require.Positive(t, refusedAt, "the disk was never full")
	h.requireAll(acknowledged)
	h.terminate()
	require.Contains(t, h.log.String(), "file too large")
	require.NotContains(t, h.log.String(), "Planted")

	roomy := serveHead(t, dir, nil)
	roomy.requireAll(acknowledged)
	code, _, err := roomy.call("POST", "/writeScope", "after", "x")
	require.NoError(t, err)
	require.Equal(t, 200, code)
	roomy.terminate()
}

func TestOneHeadPerFolder(t *testing.T) {
	dir := t.TempDir()
	h := serveHead(t, dir, nil)
	code, _, stderr := output(t, nil, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	require.Equal(t, 1, code)
	require.Equal(t, "cometd: store "+filepath.Join(dir, "comet.db")+" is in use by another process; stop the head first\n", stderr)
	code, _, stderr = output(t, nil, "serve", "--data", t.TempDir(), "--listen", strings.TrimPrefix(h.base, "https://"))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "address already in use")
	h.terminate()
}

func TestDamagedAndForeignStoresAreRefusedWithOneLine(t *testing.T) {
	dir := t.TempDir()
	h := serveHead(t, dir, nil)
	_, _, err := h.call("POST", "/writeScope", "vm", strings.Repeat("x", 100000))
	require.NoError(t, err)
	h.terminate()
	db := filepath.Join(dir, "comet.db")
	whole, err := os.ReadFile(db)
	require.NoError(t, err)
	for content, reason := range map[string]string{
		"":                              "is truncated or damaged; restore it from a backup",
		string(whole[:5000]):            "is truncated or damaged; restore it from a backup",
		string(whole[:20000]):           "is truncated or damaged; restore it from a backup",
		strings.Repeat("text\n", 10000): "is not a store of cometd",
	} {
		require.NoError(t, os.WriteFile(db, []byte(content), 0o600))
		code, stdout, stderr := output(t, nil, "serve", "--data", dir, "--listen", "127.0.0.1:0")
		require.Equal(t, 2, code)
		require.Equal(t, "cometd: store "+db+" "+reason+"\n", stderr)
		require.Empty(t, stdout)
		after, err := os.ReadFile(db)
		require.NoError(t, err)
		require.Equal(t, content, string(after))
	}
	require.NoError(t, os.WriteFile(db, whole, 0o600))
	again := serveHead(t, dir, nil)
	require.Len(t, again.entries(), 1)
	again.terminate()
}

func TestCerts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	code, stdout, stderr := output(t, nil, "certs", "--out", dir, "--host", "head.example.org", "--host", "192.0.2.1")
	require.Equal(t, 0, code, stderr)
	require.Empty(t, stderr)
	require.Contains(t, stdout, filepath.Join(dir, "client.jks"))
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	require.NoError(t, err)
	for _, name := range []string{"head.example.org", "192.0.2.1", "localhost", "127.0.0.1"} {
		require.NoError(t, pair.Leaf.VerifyHostname(name))
	}
	password, err := os.ReadFile(filepath.Join(dir, "keystore.password"))
	require.NoError(t, err)
	require.NotContains(t, stdout, strings.TrimSpace(string(password)))

	code, stdout, stderr = output(t, nil, "certs", "--out", dir)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, dir+" has certificates already, for localhost, head.example.org, 127.0.0.1, ::1, 192.0.2.1; nothing was changed\n", stdout)
	code, _, stderr = output(t, nil, "certs", "--out", dir, "--host", "192.0.2.1", "--host", "HEAD.example.org")
	require.Equal(t, 0, code, stderr)
	code, stdout, stderr = output(t, nil, "certs", "--out", dir, "--host", "other.example.org")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "do not name other.example.org; leave --host away, or move the folder away")
	again, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
	require.NoError(t, err)
	require.Equal(t, pair.Certificate, again.Certificate)

	require.NoError(t, os.Remove(filepath.Join(dir, "client.key")))
	code, _, stderr = output(t, nil, "certs", "--out", dir)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "client.key")
	require.Equal(t, 1, strings.Count(stderr, "\n"))
}

// A head that others can reach has a certificate that names it, or says that it has none.
func TestServeForOthers(t *testing.T) {
	const warning = "clients on other machines trust this head only under a name"
	dir := filepath.Join(t.TempDir(), "data")
	h := serveHead(t, dir, nil, "--listen", "0.0.0.0:0")
	h.terminate()
	require.Equal(t, 1, strings.Count(h.log.String(), warning), h.log)
	require.Contains(t, h.log.String(), "--host NAME")

	code, stdout, stderr := output(t, nil, "serve", "--data", dir, "--host", "head.example.org")
	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "do not name head.example.org; leave --host away, or move the folder away")

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "certs")))
	h = serveHead(t, dir, nil, "--listen", "0.0.0.0:0", "--host", "head.example.org", "--host", "192.0.2.1")
	h.terminate()
	require.NotContains(t, h.log.String(), warning)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "certs", "server.pem"), filepath.Join(dir, "certs", "server.key"))
	require.NoError(t, err)
	require.NoError(t, pair.Leaf.VerifyHostname("head.example.org"))
	require.NoError(t, pair.Leaf.VerifyHostname("192.0.2.1"))

	h = serveHead(t, dir, nil, "--listen", "0.0.0.0:0")
	h.terminate()
	require.NotContains(t, h.log.String(), warning, "it has been named once")
}

func TestWrongUsageAndBadInput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("no certificate\n"), 0o600))
	missing := filepath.Join(dir, "missing")
	data := filepath.Join(dir, "data")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		says string
	}{
		{"no command", nil, nil, "no command; see cometd --help"},
		{"unknown command", nil, []string{"backflip"}, `unknown command "backflip"; see cometd --help`},
		{"unknown flag", nil, []string{"--backflip"}, "see cometd --help"},
		{"unknown flag of a command", nil, []string{"serve", "--backflip"}, "see cometd serve --help"},
		{"flag without a value", nil, []string{"serve", "--data"}, "see cometd serve --help"},
		{"argument after serve", nil, []string{"serve", "--data", data, "now"}, `"now" is one argument too many; see cometd serve --help`},
		{"argument after certs", nil, []string{"certs", "--out", data, "now"}, `"now" is one argument too many; see cometd certs --help`},
		{"no folder", nil, []string{"serve"}, "a head needs --data DIR"},
		{"folder left unfilled", []string{"COMET_DATA=${DATA}"}, []string{"serve"}, "a head needs --data DIR"},
		{"no folder for certificates", nil, []string{"certs"}, "certs needs --out DIR"},
		{"folder is a file", nil, []string{"serve", "--data", file}, file},
		{"address without a port", nil, []string{"serve", "--data", data, "--listen", "127.0.0.1"}, `"127.0.0.1" is not a host or address and a port`},
		{"port out of range", nil, []string{"serve", "--data", data, "--listen", "127.0.0.1:99999"}, "99999"},
		{"log level", nil, []string{"serve", "--data", data, "--log-level", "loud"}, `--log-level "loud"`},
		{"log format", []string{"COMET_LOG_FORMAT=xml"}, []string{"serve", "--data", data}, `--log-format "xml"`},
		{"environment that makes no sense", []string{"COMET_STRONG_TOKENS=perhaps"}, []string{"serve", "--data", data}, "COMET_STRONG_TOKENS"},
		{"half a set of certificates", nil, []string{"serve", "--data", data, "--cert", file}, "--cacert, --cert and --key go together"},
		{"no name", nil, []string{"serve", "--data", data, "--host", "no name"}, `--host "no name" is neither`},
		{"a name for foreign certificates", nil, []string{"serve", "--data", data, "--host", "a.net", "--cacert", file, "--cert", file, "--key", file}, "--cert names others"},
		{"missing CA", nil, []string{"serve", "--data", data, "--cacert", missing, "--cert", file, "--key", file}, missing},
		{"CA without a certificate", nil, []string{"serve", "--data", data, "--cacert", file, "--cert", file, "--key", file}, file},
		{"missing password file", nil, []string{"serve", "--data", data, "--cacert", file, "--cert", file, "--key", file, "--key-password-file", missing}, missing},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := output(t, c.env, c.args...)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, stdout)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			last := lines[len(lines)-1]
			require.True(t, strings.HasPrefix(last, "cometd: "), stderr)
			require.Contains(t, last, c.says)
			require.NoDirExists(t, data)
		})
	}
}

func TestHelpNamesExitCodesAndFlags(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"certs", "--help"}, {"config", "--help"}, {"config", "check", "--help"}} {
		code, stdout, stderr := output(t, nil, args...)
		require.Equal(t, 0, code)
		require.Empty(t, stderr)
		require.Contains(t, stdout, "EXIT CODES:")
	}
	_, stdout, _ := output(t, nil, "serve", "--help")
	for _, flag := range []string{"--data", "--listen", "--host", "--strong-tokens", "--no-client-certs", "--cacert", "--cert", "--key", "--key-password-file", "--log-level", "--log-format", "127.0.0.1:8111",
		"--config", "--creators-file", "--owners", "--max-requests", "--max-watches", "--max-waiting", "--expiry", "--max-entries", "--max-value", "--metrics-listen", "--access-log", "--audit-log"} {
		require.Contains(t, stdout, flag)
	}
}

func TestRunIsTheWholeProgram(t *testing.T) {
	var out, errOut bytes.Buffer
	require.Equal(t, cli.ExitInput, cli.Run(context.Background(), app(), []string{"cometd", "serve"}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errOut}))
	require.Empty(t, out.String())
	require.Equal(t, "cometd: a head needs --data DIR; see cometd serve --help\n", errOut.String())
}
