package admin_test

import (
	"bufio"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/admin"
	"github.com/renci-nrig/comet-go/scope"
)

// FuzzAnswers: whatever stands behind the socket and says whatever, an operator gets what he asked for, or an error of one line.
func FuzzAnswers(f *testing.F) {
	dir := f.TempDir()
	var said atomic.Pointer[[]byte]
	l, err := net.Listen("unix", filepath.Join(dir, admin.SocketName))
	require.NoError(f, err)
	f.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				c.Write(*said.Load())
			}
			c.Close()
		}
	}()
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Comet-Done\r\n\r\n1\r\n7\r\n0\r\nComet-Done: true\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Comet-Error\r\n\r\n0\r\nComet-Error: ill\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 500 no\r\nContent-Length: 7\r\n\r\nill\n\x1b[m"))
	f.Add([]byte(`HTTP/1.1 200 OK` + "\r\n\r\n" + `[{"context":"","entries":-1,"oldest":"x"}]`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		said.Store(&answer)
		c := dial(t, dir)
		groups, err := c.Groups(t.Context())
		plain(t, err)
		if err != nil {
			require.Nil(t, groups)
		}
		_, err = c.Purge(t.Context(), scope.MustName("slice", "f", "k").Context, time.Unix(0, 0))
		plain(t, err)
		var export discarded
		plain(t, c.Export(t.Context(), &export))
		require.LessOrEqual(t, int(export), len(answer))
	})
}

type discarded int

func (d *discarded) Write(b []byte) (int, error) {
	*d += discarded(len(b))
	return len(b), nil
}

func plain(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.NotRegexp(t, "[[:cntrl:]]", err.Error())
		require.Less(t, len(err.Error()), 20_000) // it reads 4 KiB, of which a byte may be quoted as four
	}
}
