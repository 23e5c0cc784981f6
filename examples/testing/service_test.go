// Package testing_test shows how a service that uses the SDK is tested: against real heads in its own process, one of which goes
// away at the worst moment.
package testing_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

// announce is the code under test: a service that tells the slice where it is.
func announce(ctx context.Context, client *comet.Client, name scope.Name, tokens scope.Tokens, address string) error {
	return client.Update(ctx, name, tokens, func(l *scope.List) error {
		scope.Put(l, scope.Host{HostName: "service", IP: address})
		return nil
	})
}

func TestAnnounceSurvivesTheLossOfAHead(t *testing.T) {
	heads := comettest.Start(t, 2)
	client := heads.Client()
	name, tokens := scope.MustName("slice", "hostsall", "service"), scope.NewTokens()
	require.NoError(t, client.Create(t.Context(), name, tokens, scope.Encode(scope.Host{HostName: "service"})))

	heads.Stop(0)
	require.NoError(t, announce(t.Context(), client, name, tokens, "10.0.0.1"))

	heads.Restart(0)
	heads.Stop(1)
	entry, err := client.Read(t.Context(), name, tokens.Read)
	require.NoError(t, err)
	hosts, err := scope.Decode[scope.Host](entry.Value)
	require.NoError(t, err)
	require.Equal(t, []scope.Host{{HostName: "service", IP: "10.0.0.1"}}, hosts)
}
