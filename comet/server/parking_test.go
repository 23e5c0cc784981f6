package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// The clients of TestParkedWatchers and BenchmarkParked are in a process of their own, so that what the test measures is the head's alone. It is the test
// binary again, with parkEnv set.
const parkEnv = "TEST_PARK"

// parkedAsk is what the process is told to do.
type parkedAsk struct {
	Head          string // HOST:PORT
	CA, Cert, Key string // files
	Watchers      int
	Since         string
}

// parked is the process with the clients.
type parked struct {
	said  chan string // its lines: "told of slice N" for each answer with what changed, or what went wrong
	leave func()      // ends the process; all it said is in said
}

func park(t testing.TB, ask parkedAsk) parked {
	t.Helper()
	settings, err := json.Marshal(ask)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self)
	c.Env = append(os.Environ(), parkEnv+"="+string(settings))
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	p := parked{said: make(chan string, ask.Watchers+1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			p.said <- lines.Text()
		}
	}()
	p.leave = sync.OnceFunc(func() {
		stdin.Close()
		<-read
		c.Wait()
	})
	t.Cleanup(p.leave)
	return p
}

// parkClients is that process: its clients wait at the head, each on a connection of its own, until standard input ends.
func parkClients(settings string) {
	var ask parkedAsk
	if err := json.Unmarshal([]byte(settings), &ask); err != nil {
		fmt.Println(err)
		return
	}
	live, err := tlsconfig.Open(tlsconfig.Files{CA: ask.CA, Cert: ask.Cert, Key: ask.Key}, tlsconfig.Names{})
	if err != nil {
		fmt.Println(err)
		return
	}
	config := live.Client(ask.Head)
	next := make(chan int)
	for range 8 {
		go func() {
			for i := range next {
				c, err := tls.Dial("tcp", ask.Head, config)
				if err != nil {
					fmt.Println(err)
					return
				}
				go waitFor(c, i, ask.Since)
			}
		}()
	}
	go func() {
		for i := range ask.Watchers {
			next <- i % parkedSlices
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

// waitFor says what it was told of slice i.
func waitFor(c net.Conn, i int, since string) {
	fmt.Fprintf(c, "GET /watchScope?contextID=%s&family=hostsall&wait=120s&since=%s HTTP/1.1\r\nHost: head\r\nComet-Read-Token: %s\r\n\r\n", sliceOf(i), since, readerOf(i))
	response, err := http.ReadResponse(bufio.NewReaderSize(c, 1024), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(body), `"value":"second"`) {
		fmt.Printf("not what changed: %s %v\n", response.Status, err)
		return
	}
	fmt.Println("told of slice", i)
}
