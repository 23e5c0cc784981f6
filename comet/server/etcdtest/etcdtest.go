// Package etcdtest runs etcd for tests: one or more processes on loopback, with their data in a folder of the test.
package etcdtest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/internal/loopback"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

// patience is how long a member may take to be well.
const patience = 60 * time.Second

// Cluster is etcd processes that know each other. They end with the test.
type Cluster struct {
	Members []*Member

	doors *doors // nil: members reach each other directly
}

// Member is one etcd process, which may be ended and started again.
type Member struct {
	Addr string // host:port for clients

	t      testing.TB
	args   []string
	health string
	said   lines
	run    *exec.Cmd
}

// Start starts members that form a cluster, with further arguments for each, and waits until all are well. Where there is no etcd
// the test is skipped, but fails under CI.
func Start(t testing.TB, members int, args ...string) *Cluster {
	t.Helper()
	return StartTLS(t, members, "http", args...)
}

// StartTLS is Start with the scheme ("http" or "https") that members speak with clients.
func StartTLS(t testing.TB, members int, scheme string, args ...string) *Cluster {
	t.Helper()
	return start(t, members, scheme, false, args)
}

// StartApart is Start for members that can be cut off from each other.
func StartApart(t testing.TB, members int, args ...string) *Cluster {
	t.Helper()
	return start(t, members, "http", true, args)
}

func start(t testing.TB, members int, scheme string, apart bool, args []string) *Cluster {
	t.Helper()
	binary := needs.Program(t, "etcd", "etcd-server")
	dir := t.TempDir()
	free, release := freeAddresses(t, 3*members)
	clients, peers, metrics := free[:members], free[members:2*members], free[2*members:]
	c := &Cluster{}
	known := prefixed("http://", peers)
	if apart {
		c.doors = openDoors(t, peers)
		known = c.doors.urls
	}
	release()
	var all []string
	for i, url := range known {
		all = append(all, fmt.Sprintf("m%d=%s", i, url))
	}
	for i := range members {
		m := &Member{Addr: clients[i], t: t, health: "http://" + metrics[i] + "/health"}
		m.args = append([]string{
			binary, "--name", fmt.Sprint("m", i), "--data-dir", filepath.Join(dir, fmt.Sprint("m", i)),
			"--listen-client-urls", scheme + "://" + m.Addr, "--advertise-client-urls", scheme + "://" + m.Addr,
			"--listen-peer-urls", "http://" + peers[i], "--initial-advertise-peer-urls", known[i],
			"--listen-metrics-urls", "http://" + metrics[i],
			"--initial-cluster", strings.Join(all, ","), "--initial-cluster-state", "new", "--initial-cluster-token", filepath.Base(dir) + t.Name(),
		}, args...)
		m.start()
		t.Cleanup(m.end)
		c.Members = append(c.Members, m)
	}
	for _, m := range c.Members {
		m.WaitWell()
	}
	return c
}

// CutOff parts a member of StartApart from all others, in both directions, until Join.
func (c *Cluster) CutOff(member int) { c.doors.bar(member) }

// Join brings all members together again. What they said to each other meanwhile arrives late.
func (c *Cluster) Join() { c.doors.unbar() }

// URL is that of a store on all the members.
func (c *Cluster) URL(prefix string) string {
	var addresses []string
	for _, m := range c.Members {
		addresses = append(addresses, m.Addr)
	}
	return "etcd://" + strings.Join(addresses, ",") + prefix
}

func prefixed(by string, list []string) (all []string) {
	for _, one := range list {
		all = append(all, by+one)
	}
	return all
}

func (m *Member) start() {
	m.t.Helper()
	m.run = exec.Command(m.args[0], m.args[1:]...)
	m.run.Env = append(os.Environ(), "ETCD_UNSUPPORTED_ARCH="+runtime.GOARCH) // etcd 3.4 wants that on all but amd64
	m.run.Stdout, m.run.Stderr = &m.said, &m.said
	m.run.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(m.t, m.run.Start())
}

// Kill ends the process as a loss of power would.
func (m *Member) Kill() {
	m.run.Process.Kill()
	m.run.Wait()
}

// Start starts a killed process again, on the same data.
func (m *Member) Start() {
	m.t.Helper()
	m.start()
}

// Freeze stops the process without ending it or its connections; Thaw lets it go on.
func (m *Member) Freeze() { require.NoError(m.t, m.run.Process.Signal(syscall.SIGSTOP)) }

// Thaw lets a frozen process go on.
func (m *Member) Thaw() { require.NoError(m.t, m.run.Process.Signal(syscall.SIGCONT)) }

func (m *Member) end() {
	m.Kill()
	if m.t.Failed() {
		m.t.Logf("etcd at %s said at last:\n%s", m.Addr, m.said.tail())
	}
}

// WaitWell waits until the member is part of a cluster with a leader.
func (m *Member) WaitWell() {
	m.t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if r, err := client.Get(m.health); err == nil {
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode == http.StatusOK && bytes.Contains(body, []byte("true")) {
				return
			}
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("etcd at %s is not well after %s", m.Addr, patience)
		}
	}
}

// freeAddresses are those of ports that nobody has until release is called, for processes that are started then.
func freeAddresses(t testing.TB, n int) (free []string, release func()) {
	t.Helper()
	var listeners []net.Listener
	for range n {
		l, err := loopback.Listen()
		require.NoError(t, err)
		listeners = append(listeners, l)
		free = append(free, l.Addr().String())
	}
	return free, func() {
		for _, l := range listeners {
			l.Close()
		}
	}
}

// lines keeps what a process says.
type lines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	return len(b), nil
}

func (l *lines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text[max(0, len(l.text)-4000):])
}
