package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// watcher is a cometctl watch under way.
type watcher struct {
	lines *bufio.Scanner
	end   func() (errOut string, code int)
}

func startWatch(t *testing.T, args ...string) watcher {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	var errOut strings.Builder
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, app(), append([]string{"cometctl", "watch"}, args...), cli.Streams{In: strings.NewReader(""), Out: out, Err: &errOut})
		out.Close()
	}()
	return watcher{bufio.NewScanner(in), func() (string, int) {
		cancel()
		go io.Copy(io.Discard, in)
		c := <-code
		return errOut.String(), c
	}}
}

func (w watcher) line(t *testing.T) string {
	t.Helper()
	require.True(t, w.lines.Scan(), "it ended")
	return w.lines.Text()
}

func TestWatchShowsChangesAsTheyCome(t *testing.T) {
	for name, options := range map[string][]server.Option{"ours": nil, "deployed": {server.WithoutExtensions()}} {
		t.Run(name, func(t *testing.T) {
			heads := comettest.Start(t, 1, options...)
			client := heads.Client()
			tokens := scope.NewTokens()
			t.Setenv("COMET_READ_TOKEN", tokens.Read.Reveal())
			vm := scope.MustName("s", "hostsall", "vm")
			put := func(ip string) {
				_, err := client.Write(t.Context(), vm, tokens, scope.Encode(scope.Host{HostName: "w", IP: ip}))
				require.NoError(t, err)
			}
			put("10.0.0.1")
			flags := []string{"--comethost", heads.List(), "--cacert", writeCA(t, heads.Authority()), "--every", "20ms"}
			w := startWatch(t, append(flags, "s", "hostsall")...)
			assert.Regexp(t, `^\d\d:\d\d:\d\d  is  vm  w 10\.0\.0\.1$`, w.line(t))
			put("10.0.0.2")
			assert.Regexp(t, `^\d\d:\d\d:\d\d  changed  vm  w 10\.0\.0\.2$`, w.line(t))
			require.NoError(t, client.Delete(t.Context(), vm, tokens))
			assert.Regexp(t, `^\d\d:\d\d:\d\d  gone  vm$`, w.line(t))
			errOut, code := w.end()
			assert.Equal(t, cli.ExitDone, code, "there is no other way to end it")
			assert.NotContains(t, errOut, "interrupted")

			put("10.0.0.3")
			w = startWatch(t, append(flags, "-o", "json", "s", "hostsall")...)
			var shown shownChange
			require.NoError(t, json.Unmarshal([]byte(w.line(t)), &shown))
			assert.True(t, shown.Whole)
			assert.Len(t, shown.Entries, 1)
			assert.NotContains(t, w.lines.Text(), tokens.Read.Reveal())
			w.end()
		})
	}
}

func TestWatchSaysThatNoHeadAnswers(t *testing.T) {
	heads := comettest.Start(t, 1)
	heads.Stop(0)
	t.Setenv("COMET_READ_TOKEN", scope.NewToken().Reveal())
	out, errOut := strings.Builder{}, strings.Builder{}
	code := cli.Run(t.Context(), app(), []string{"cometctl", "watch", "--comethost", heads.List(), "--cacert", writeCA(t, heads.Authority()), "--timeout", "300ms", "s", "hostsall"},
		cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errOut})
	assert.Equal(t, cli.ExitDone, code, "its time is over")
	assert.Contains(t, errOut.String(), "connection refused; asking again\n")
	assert.Empty(t, out.String())
}
