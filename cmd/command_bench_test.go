package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/programs"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// BenchmarkCommand times a shell command of an existing client that reads one entry, which TEST_CLIENT holds, and in turn with it cometctl.
// Where to read and whom to trust they find in the environment: COMETHOST, COMETCACERT, COMETCLIENTCERT and COMETCLIENTKEY, the tokens
// COMET_READ_TOKEN and COMET_WRITE_TOKEN, and the entry's CONTEXT, FAMILY and KEY. The head is one of this process, or a deployed one where
// TEST_DEPLOYED and its companions (comet/internal/headtest) name it.
func BenchmarkCommand(b *testing.B) {
	command := os.Getenv("TEST_CLIENT")
	if command == "" {
		b.Skip("TEST_CLIENT names no command")
	}
	bin := b.TempDir()
	require.NoError(b, programs.Build(bin, "./cometctl"))
	tokens := scope.NewTokens()
	env := append(headOfCommands(b), "COMET_READ_TOKEN="+tokens.Read.Reveal(), "COMET_WRITE_TOKEN="+tokens.Write.Reveal(),
		"CONTEXT="+scope.NewToken().Reveal(), "FAMILY=hostsall", "KEY=vm")
	run := func(line string) float64 {
		c := exec.Command("sh", "-c", line, filepath.Join(bin, "cometctl")) // $0 is cometctl
		c.Env = append(os.Environ(), env...)
		start := time.Now()
		_, err := c.CombinedOutput() // which may have tokens in it
		require.NoError(b, err, "%s", line)
		return float64(time.Since(start).Microseconds()) / 1000
	}
	run(`echo '[{"hostName":"vm","ip":"10.0.0.1"}]' | "$0" write "$CONTEXT" "$FAMILY" "$KEY"`)
	defer run(`"$0" rm "$CONTEXT" "$FAMILY" "$KEY"`)
	var theirs, ours []float64
	for range b.N {
		theirs = append(theirs, run(command))
		ours = append(ours, run(`"$0" read "$CONTEXT" "$FAMILY" "$KEY"`))
	}
	slices.Sort(theirs)
	slices.Sort(ours)
	b.ReportMetric(theirs[b.N/2], "ms")
	b.ReportMetric(ours[b.N/2], "ms-cometctl")
	b.ReportMetric(theirs[b.N/2]/ours[b.N/2], "x-cometctl")
	b.ReportMetric(0, "ns/op")
}

// headOfCommands is the environment of commands that work with a head.
func headOfCommands(b *testing.B) []string {
	host, ca, cert, key := os.Getenv("TEST_DEPLOYED"), os.Getenv("TEST_DEPLOYED_CACERT"), os.Getenv("TEST_DEPLOYED_CERT"), os.Getenv("TEST_DEPLOYED_KEY")
	name := os.Getenv("TEST_DEPLOYED_SERVER_NAME")
	if host == "" {
		certs, err := tlsconfig.WriteDevelopment(filepath.Join(b.TempDir(), "certs"))
		require.NoError(b, err)
		authority, err := tlsconfig.LoadAuthority(certs.Dir)
		require.NoError(b, err)
		host, ca, cert, key = comettest.StartUnder(b, 1, authority).List(), certs.Client.CA, certs.Client.Cert, certs.Client.Key
	}
	env := []string{"COMETHOST=" + host, "COMETCACERT=" + ca, "COMETCLIENTCERT=" + cert, "COMETCLIENTKEY=" + key}
	if name != "" {
		env = append(env, "COMET_SERVER_NAME="+name)
	}
	return env
}
