package etcd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Heads of these tests are processes, which can be killed: the test binary again, with headEnv set.
const headEnv = "TEST_HEAD"

// headProcess is one head.
type headProcess struct {
	Store, Listen string
	CA, Cert, Key string // files

	t   testing.TB
	run *exec.Cmd
}

func (h *headProcess) start() {
	h.t.Helper()
	settings, err := json.Marshal(h)
	require.NoError(h.t, err)
	h.run = exec.Command(os.Args[0])
	h.run.Env = append(os.Environ(), headEnv+"="+string(settings))
	h.run.Stderr = os.Stderr
	out, err := h.run.StdoutPipe()
	require.NoError(h.t, err)
	require.NoError(h.t, h.run.Start())
	addr, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(h.t, err, "the head does not serve")
	h.Listen = strings.TrimSpace(addr) // the same when it is started again
}

func (h *headProcess) kill() {
	h.run.Process.Kill()
	h.run.Wait()
}

// serveHead is that process: it prints its address and serves until it is killed.
func serveHead(settings string) error {
	var h headProcess
	if err := json.Unmarshal([]byte(settings), &h); err != nil {
		return err
	}
	live, err := tlsconfig.Open(tlsconfig.Files{CA: h.CA, Cert: h.Cert, Key: h.Key}, tlsconfig.Names{})
	if err != nil {
		return err
	}
	store, err := etcd.Open(context.Background(), h.Store)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", h.Listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return server.Serve(context.Background(), server.New(store, server.WithTrust(live.Trusted)), live.Server(), l)
}

func startHeads(t testing.TB, n int, store string) (heads []*headProcess, files tlsconfig.Development) {
	t.Helper()
	files, err := tlsconfig.WriteDevelopment(filepath.Join(t.TempDir(), "certs"))
	require.NoError(t, err)
	for range n {
		h := &headProcess{Store: store, Listen: "127.0.0.1:0", CA: files.Server.CA, Cert: files.Server.Cert, Key: files.Server.Key, t: t}
		h.start()
		t.Cleanup(h.kill)
		heads = append(heads, h)
	}
	return heads, files
}

// Three members of etcd and three heads, each killed in the middle of a publish: the publish ends well, and what was acknowledged in
// all of them is there, at every head.
func TestAnyOneOfSixMayDieDuringAPublish(t *testing.T) {
	cluster := etcdtest.Start(t, 3)
	heads, files := startHeads(t, 3, cluster.URL("/comet"))
	live, err := tlsconfig.Open(files.Client, tlsconfig.Names{})
	require.NoError(t, err)
	defer live.Close()
	dial := func(observe func(comet.Attempt), heads ...*headProcess) *comet.Client {
		var urls []string
		for _, h := range heads {
			urls = append(urls, "https://"+h.Listen)
		}
		c, err := comet.New(strings.Join(urls, ","), nil, comet.WithTLSFor(live.Client), comet.WithObserver(observe))
		require.NoError(t, err)
		return c
	}
	nobody := func(comet.Attempt) {}
	// dialVia gives a client that uses this head: each has an order of its own.
	dialVia := func(h *headProcess) *comet.Client {
		for {
			used := make(chan string, 100)
			c := dial(func(a comet.Attempt) {
				select {
				case used <- a.Head:
				default: // only the first is of interest
				}
			}, heads...)
			_, err := c.List(t.Context(), name.Context, name.Family, tokens.Read)
			require.NoError(t, err)
			if strings.Contains(<-used, h.Listen) {
				return c
			}
			require.NoError(t, c.Close())
		}
	}

	acknowledged := map[string]string{}
	publish := func(t *testing.T, c *comet.Client, round string, killAt int, kill func()) {
		defer c.Close()
		var items []comet.Item
		for i := range 60 { // half of them are there since the first round
			key := fmt.Sprintf("%s-%d", round, i)
			if i%2 == 0 {
				key = fmt.Sprint("all-", i)
			}
			items = append(items, comet.Item{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, Value: []byte(round)})
			acknowledged[key] = round
		}
		var once sync.Once
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		require.NoError(t, c.WriteMany(ctx, items, comet.Bulk{Parallel: 4, Progress: func(done, _ int) {
			if done >= killAt {
				once.Do(kill)
			}
		}}))
	}
	requireAll := func(t *testing.T) {
		for _, h := range heads {
			c := dial(nobody, h)
			entries, err := c.List(t.Context(), name.Context, name.Family, tokens.Read)
			require.NoError(t, err)
			require.NoError(t, c.Close())
			there := map[string]string{}
			for _, e := range entries {
				there[e.Name.Key.String()] = string(e.Value)
			}
			require.Equal(t, acknowledged, there)
		}
	}
	for i := range 3 {
		for _, killAt := range []int{1, 30} {
			t.Run(fmt.Sprintf("head %d after %d", i, killAt), func(t *testing.T) {
				publish(t, dialVia(heads[i]), fmt.Sprintf("head-%d-%d", i, killAt), killAt, heads[i].kill)
				heads[i].start()
				requireAll(t)
			})
			t.Run(fmt.Sprintf("member %d after %d", i, killAt), func(t *testing.T) {
				m := cluster.Members[i]
				publish(t, dial(nobody, heads...), fmt.Sprintf("member-%d-%d", i, killAt), killAt, m.Kill)
				requireAll(t)
				m.Start()
				m.WaitWell()
			})
		}
	}
}
