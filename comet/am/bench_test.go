package am_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// BenchmarkSlice publishes slices of 100 and 1,000 VMs, five families and two place-holders each, over mutual TLS to a head in a process of its
// own that has every change on disk before it answers. Then it does the same as existing clients do, one call after the other, each on
// a connection of its own. It reports the seconds of both, how many times as long the latter takes, and the most memory that the
// publisher had until then. One iteration is the whole slice both ways; that memory is of the first one in a process.
func BenchmarkSlice(b *testing.B) {
	crowds := []int{100, 1000}
	if testing.Short() {
		crowds = crowds[:1]
	}
	for _, n := range crowds {
		b.Run(fmt.Sprint(n), func(b *testing.B) { bothWays(b, n) })
	}
}

func bothWays(b *testing.B, n int) {
	for range b.N {
		head, config := headtest.Start(b)
		slice, vms := crowdSlice(b, n)

		start := time.Now()
		client, err := comet.New(head, config)
		require.NoError(b, err)
		_, err = controller.New(client, controller.Settings{Hosts: true, PubKeys: true}).Create(b.Context(), filepath.Join(b.TempDir(), "tokens.json"), slice)
		require.NoError(b, err)
		count, err := outcomes(am.PublishSlice(b.Context(), client, vms, am.SliceOptions{}))
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
