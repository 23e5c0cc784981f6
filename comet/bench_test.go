package comet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/internal/headtest"
	"github.com/renci-nrig/comet-go/comet/internal/turns"
	"github.com/renci-nrig/comet-go/scope"
)

// BenchmarkClient holds the client against bare net/http doing, and decoding, the same over kept-alive mutual TLS, at a head in a process
// of its own or at one that is deployed (headtest says how).
func BenchmarkClient(b *testing.B) {
	head, config := headtest.Start(b)
	client, err := comet.New(head, config)
	require.NoError(b, err)
	defer client.Close()
	bare := &bareClient{head, &http.Client{Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 32}}}
	defer bare.http.CloseIdleConnections()

	name := scope.MustName(scope.NewToken().Reveal(), "hostsall", "vm") // a context of its own
	value := scope.Encode(scope.Host{HostName: strings.Repeat("x", 60), IP: "152.54.14.31"})
	value = append(value[:len(value)-1], fmt.Sprintf(`,"pad":%q}`, strings.Repeat("x", 900))...)
	_, err = client.Write(b.Context(), name, testTokens, value)
	require.NoError(b, err)
	defer client.Delete(context.Background(), name, testTokens)

	ops := map[string][2]turns.Call{
		"read": {
			func(ctx context.Context, _ int) error {
				entry, err := client.Read(ctx, name, testTokens.Read)
				return hasHost(entry.Value, err)
			},
			func(ctx context.Context, _ int) error { return hasHost(bare.read(ctx, name)) },
		},
		"write": {
			func(ctx context.Context, _ int) error {
				_, err := client.Write(ctx, name, testTokens, value)
				return err
			},
			func(ctx context.Context, _ int) error { return bare.write(ctx, name, value) },
		},
	}
	for _, op := range []string{"read", "write"} {
		for _, goroutines := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d", op, goroutines), func(b *testing.B) { turns.Compare(b, goroutines, ops[op][0], ops[op][1]) })
		}
	}
}

func hasHost(value []byte, err error) error {
	if err != nil {
		return err
	}
	hosts, err := scope.Decode[scope.Host](value)
	if err == nil && len(hosts) != 1 {
		err = errors.New("another value")
	}
	return err
}

// bareClient is what one would write without an SDK: one head, no failover, no limits.
type bareClient struct {
	head string
	http *http.Client
}

func (c *bareClient) read(ctx context.Context, n scope.Name) ([]byte, error) {
	query := url.Values{"contextID": {n.Context.String()}, "family": {n.Family.String()}, "Key": {n.Key.String()}, "readToken": {testTokens.Read.Reveal()}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.head+"/readScope?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	var value struct {
		Value string `json:"value"`
	}
	err = c.do(r, &value)
	return []byte(value.Value), err
}

func (c *bareClient) write(ctx context.Context, n scope.Name, body []byte) error {
	query := url.Values{"contextID": {n.Context.String()}, "family": {n.Family.String()}, "Key": {n.Key.String()},
		"readToken": {testTokens.Read.Reveal()}, "writeToken": {testTokens.Write.Reveal()}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.head+"/writeScope?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	var value struct {
		Success string `json:"Success"`
	}
	return c.do(r, &value)
}

// do sends a request and decodes the envelope and the value in it.
func (c *bareClient) do(r *http.Request, value any) error {
	r.Header.Set("Accept", "application/json")
	response, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var e struct {
		Status  string          `json:"status"`
		Message string          `json:"message"`
		Value   json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || e.Status != "OK" {
		return errors.New(e.Message)
	}
	return json.Unmarshal(e.Value, value)
}

// BenchmarkFailover holds reads with one of two heads refusing, once the client knows, against reads by a client of the other head alone. It
// reports the medians of both in microseconds, and their ratio.
func BenchmarkFailover(b *testing.B) {
	heads := comettest.Start(b, 2)
	well := heads.Client()
	_, err := well.Write(b.Context(), testName, testTokens, testValue)
	require.NoError(b, err)
	used := 0
	if heads.Calls(1, "writeScope") > 0 {
		used = 1
	}
	alone, err := comet.New(heads.URL(1-used), heads.TLS())
	require.NoError(b, err)
	defer alone.Close()
	heads.Stop(used)
	read := func(c *comet.Client) float64 {
		start := time.Now()
		_, err := c.Read(b.Context(), testName, testTokens.Read)
		require.NoError(b, err)
		return float64(time.Since(start).Nanoseconds()) / 1000
	}
	read(well)
	read(alone)
	var with, without []float64
	for b.Loop() {
		with = append(with, read(well))
		without = append(without, read(alone))
	}
	b.ReportMetric(turns.Median(with), "us-one-dead")
	b.ReportMetric(turns.Median(without), "us-well")
	b.ReportMetric(turns.Median(with)/turns.Median(without), "of-well")
	b.ReportMetric(0, "ns/op")
}
