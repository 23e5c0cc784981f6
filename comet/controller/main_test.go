package controller_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var both = controller.Settings{Hosts: true, PubKeys: true}

// demo is the slice of three VMs in testdata.
func demo(t *testing.T) orca.Slice {
	t.Helper()
	s, err := orca.LoadSlice("../../testdata/slice/slice.json")
	require.NoError(t, err)
	require.Len(t, s.VMs, 3)
	return s
}

// parse reads a slice file.
func parse(t *testing.T, text string) orca.Slice {
	t.Helper()
	s, err := orca.ParseSlice([]byte(text))
	require.NoError(t, err)
	return s
}

// open returns tokens for a slice, and the file in which they are kept.
func open(t *testing.T, s orca.Slice) (controller.Tokens, string) {
	t.Helper()
	tokens := controller.Tokens{SliceID: s.ID, Groups: s.Groups, Read: scope.NewToken(), Write: map[scope.Key]scope.Token{}}
	for _, vm := range s.VMs {
		if vm.NeedsContext() {
			tokens.Write[vm.ReservationID] = scope.NewToken()
		}
	}
	path := filepath.Join(t.TempDir(), "tokens.json")
	keep(t, path, tokens)
	return tokens, path
}

// keep writes a token file.
func keep(t *testing.T, path string, tokens controller.Tokens) {
	t.Helper()
	write := map[string]string{}
	for key, token := range tokens.Write {
		write[key.String()] = token.Reveal()
	}
	text, err := json.Marshal(map[string]any{"sliceId": tokens.SliceID, "groups": tokens.Groups, "vms": tokens.VMs,
		"readToken": tokens.Read.Reveal(), "writeTokens": write})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}

// quick makes a client find out soon that a head is ill, and that it is well again.
func quick(more ...comet.Option) []comet.Option {
	return append(more, comet.WithAttemptTimeout(300*time.Millisecond), comet.WithRest(time.Millisecond, time.Millisecond))
}

// seen returns what the slice's read token shows, values by family and key.
func seen(t *testing.T, client *comet.Client, s orca.Slice, tokens controller.Tokens) map[string]string {
	t.Helper()
	entries, err := client.List(t.Context(), s.ID, scope.Family{}, tokens.Read)
	require.NoError(t, err)
	values := map[string]string{}
	for _, e := range entries {
		values[e.Name.Family.String()+"/"+e.Name.Key.String()] = string(e.Value)
	}
	return values
}

const (
	noKey  = `{"val_":"[{\"publicKey\":\"\"}]"}`
	hisKey = `{"val_":"[{\"publicKey\":\"ssh-ed25519 AAAA root@workers-1\\n\"}]","since":"2024"}`
	hisIP  = `{"val_":"[{\"hostName\":\"workers-1\",\"ip\":\"10.0.0.1\"}]"}`
)

func noIP(hostName string) string {
	return `{"val_":"[{\"hostName\":\"` + hostName + `\",\"ip\":\"\"}]"}`
}

// report fills in a VM's entries as the VM itself does.
func report(t *testing.T, heads *comettest.Heads, s orca.Slice, tokens controller.Tokens, vm orca.VM) map[string]string {
	t.Helper()
	filled := map[string]string{"hostsall/" + vm.ReservationID.String(): hisIP, "pubkeysall/" + vm.ReservationID.String(): hisKey}
	for family, value := range map[string]string{"hostsall": hisIP, "pubkeysall": hisKey} {
		name := scope.Name{Context: s.ID, Family: scope.MustFamily(family), Key: vm.ReservationID}
		_, err := heads.Client().Write(t.Context(), name, tokens.Of(vm.ReservationID), []byte(value))
		require.NoError(t, err)
	}
	return filled
}

// counts are what a Create or Extend put down and kept.
func counts(c controller.Created) [2]int { return [2]int{c.New, c.Kept} }

// created is for tests that do not count what was created.
func created(_ controller.Created, err error) error { return err }

func deleted(_ controller.Deleted, err error) error { return err }
