package am_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// beHead makes the test binary a head that keeps its things in the folder that the variable names: the benchmark measures what a
// publisher needs, and wants the head's memory in another process.
const beHead = "TEST_BE_HEAD"

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
func headProcess(b *testing.B) (url string, config *tls.Config) {
	dir := b.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), beHead+"="+dir)
	out, err := c.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, c.Start())
	b.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	_, err = fmt.Fscanln(out, &url)
	require.NoError(b, err)
	certs, err := tlsconfig.WriteDevelopment(filepath.Join(dir, "certs"))
	require.NoError(b, err)
	read := func(path string) []byte {
		text, err := os.ReadFile(path)
		require.NoError(b, err)
		return text
	}
	roots, err := tlsconfig.ParseCA(read(certs.Client.CA), tlsconfig.Password{})
	require.NoError(b, err)
	identity, err := tlsconfig.ParseKeyPair(read(certs.Client.Cert), read(certs.Client.Key), tlsconfig.Password{})
	require.NoError(b, err)
	return strings.TrimSpace(url), tlsconfig.Client(roots, &identity)
}

// BenchmarkSlice publishes a slice of 1,000 VMs, 5,000 families and 2,000 place-holders, over mutual TLS to a head in a process of its
// own that has every change on disk before it answers. Then it does the same as existing clients do, one call after the other, each on
// a connection of its own. It reports the seconds of both, how many times as long the latter takes, and the most memory that the
// publisher had until then. One iteration is the whole slice both ways.
func BenchmarkSlice(b *testing.B) {
	const n = 1000
	for range b.N {
		head, config := headProcess(b)
		slice, vms := crowdSlice(b, n)

		start := time.Now()
		client, err := comet.New(head, config)
		require.NoError(b, err)
		tokens, err := controller.OpenTokens(b.Context(), filepath.Join(b.TempDir(), "tokens.json"), slice)
		require.NoError(b, err)
		_, err = controller.New(client, controller.Settings{Hosts: true, PubKeys: true}).Create(b.Context(), slice, tokens)
		require.NoError(b, err)
		count, err := outcomes(am.PublishSlice(b.Context(), client, vms, nil))
		require.NoError(b, err)
		require.Equal(b, n, count[am.Written])
		ours := time.Since(start)
		memory := mostMemory(b)
		require.NoError(b, client.Close())

		start = time.Now()
		naive(b, head, config, vms)
		theirs := time.Since(start)
		b.ReportMetric(ours.Seconds(), "s")
		b.ReportMetric(theirs.Seconds(), "s-naive")
		b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-naive")
		b.ReportMetric(memory, "MB")
	}
	b.ReportMetric(0, "ns/op")
}

// crowdSlice is a slice of n VMs as a slice file would have it.
func crowdSlice(b *testing.B, n int) (orca.Slice, []am.Member) {
	vms := crowd(b, n)
	slice := orca.Slice{ID: vms[0].Unit.SliceID, Groups: []string{scope.DefaultGroup}}
	for i := range vms {
		vms[i].Fresh = true
		slice.VMs = append(slice.VMs, orca.VM{HostName: vms[i].Unit.HostName, ReservationID: vms[i].Unit.ReservationID})
	}
	return slice, vms
}

// naive writes what the slice consists of, in another context, with a connection for each call.
func naive(b *testing.B, head string, config *tls.Config, vms []am.Member) {
	transport := &http.Transport{TLSClientConfig: config.Clone(), DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	slice := scope.NewTokens()
	write := func(vm am.Member, family string, tokens scope.Tokens, value []byte) {
		query := url.Values{"contextID": {"naive"}, "family": {family}, "Key": {vm.Unit.ReservationID.String()},
			"readToken": {tokens.Read.Reveal()}, "writeToken": {tokens.Write.Reveal()}}
		request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, head+"/writeScope?"+query.Encode(), bytes.NewReader(value))
		require.NoError(b, err)
		request.Header.Set("Accept", "application/json")
		answer, err := client.Do(request)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(b, err)
		require.NoError(b, answer.Body.Close())
		require.Equal(b, http.StatusOK, answer.StatusCode)
	}
	for _, vm := range vms {
		write(vm, "hostsall", slice, scope.Encode(scope.Host{HostName: vm.Unit.HostName}))
		write(vm, "pubkeysall", slice, scope.Encode(scope.PubKey{}))
		for family, value := range vm.Families.Values() {
			write(vm, family.String(), vm.Unit.Tokens, value)
		}
	}
}

// mostMemory is how many megabytes this process had at most, as the system counts them.
func mostMemory(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(b, err)
	return kilobytes / 1024
}
