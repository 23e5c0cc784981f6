package cmd_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/renci-nrig/comet-go/"

// listed is a package as go list shows it.
type listed struct {
	ImportPath string
	Imports    []string // directly, without those of tests
	Deps       []string // all below
}

// The house has floors: each package stands on those below it, roles and server side by side.
func TestPackagesStandOnTheFloorsBelow(t *testing.T) {
	may := map[string][]string{ // of ours, directly
		"scope":                         {},
		"tlsconfig":                     {},
		"comet":                         {"scope"},
		"comet/cometprom":               {"comet"},
		"comet/orca":                    {"comet/internal/atomicfile", "scope"},
		"comet/internal/atomicfile":     {},
		"comet/controller":              {"comet", "comet/internal/atomicfile", "comet/orca", "scope"},
		"comet/am":                      {"comet", "comet/internal/atomicfile", "comet/orca", "scope"},
		"comet/guest":                   {"comet", "comet/guest/internal/block", "comet/guest/internal/frame", "comet/guest/internal/hostname", "comet/guest/internal/interfaces", "comet/guest/internal/known", "comet/guest/internal/metadataguard", "comet/guest/internal/scripts", "comet/guest/internal/users", "comet/guest/internal/storage", "comet/guest/internal/network", "comet/guest/internal/peers", "comet/guest/internal/router", "comet/guest/internal/routes", "comet/guest/internal/sshkey", "comet/internal/atomicfile", "comet/orca", "scope", "tlsconfig"},
		"comet/guest/settings":          {"comet/guest", "comet/guest/identity", "comet/internal/atomicfile", "comet/orca", "scope"},
		"comet/guest/service":           {"comet", "comet/guest", "comet/guest/identity", "comet/guest/internal/frame", "comet/guest/settings", "comet/internal/atomicfile", "tlsconfig"},
		"comet/guest/internal/sshkey":   {"comet/guest/internal/block", "comet/guest/internal/frame"},
		"comet/guest/internal/hostname": {"comet/guest/internal/frame", "scope"},
		"comet/guest/internal/peers":    {"comet", "comet/guest/internal/frame", "comet/guest/internal/known", "comet/guest/internal/sshkey", "scope"},
		"comet/guest/internal/block":    {},
		"comet/guest/internal/known":    {"comet", "comet/orca", "comet/guest/internal/frame", "scope"},
		"comet/guest/internal/frame":    {"comet/guest/internal/block", "comet/internal/atomicfile"},
		"comet/server":                  {"scope"},
		"comet/server/internal/digest":  {"scope"},
		"comet/server/internal/judge":   {"comet/server", "comet/server/internal/digest", "scope"},
		"comet/server/internal/wake":    {"comet/server", "comet/server/internal/digest", "scope"},
		"comet/server/contents":         {"comet/internal/atomicfile", "comet/server", "comet/server/internal/digest", "scope"},
		"comet/server/admin":            {"comet/server/contents", "scope"},
		"comet/server/bolt":             {"comet/server", "comet/server/contents", "comet/server/internal/digest", "comet/server/internal/judge", "comet/server/internal/wake", "scope"},
		"comet/server/etcd":             {"comet/server", "comet/server/contents", "comet/server/internal/digest", "comet/server/internal/judge", "comet/server/internal/wake", "scope", "tlsconfig"},
		"comet/server/storetest":        {"comet/server", "comet/server/contents", "scope"},
		"comet/server/ops":              {"comet/server"},
		"comet/guest/identity":          {"comet", "comet/orca", "scope"},

		"comet/internal/headtest":  {"comet/internal/loopback", "comet/server", "comet/server/bolt", "tlsconfig"},
		"comet/internal/history":   {},
		"comet/internal/loopback":  {},
		"comet/internal/logtest":   {},
		"comet/internal/turns":     {},
		"comet/internal/faulttest": {"comet/comettest", "comet/internal/loopback", "comet/server", "comet/server/etcdtest", "scope", "tlsconfig"},
		"comet/server/etcdtest":    {"comet/internal/loopback", "testdata/needs"},
		"comet/comettest":          {"comet", "comet/internal/loopback", "comet/server", "comet/server/bolt", "tlsconfig"},

		"comet/guest/internal/network":       {"comet/guest/internal/frame", "scope"},
		"comet/guest/internal/interfaces":    {"comet/guest/internal/frame", "comet/guest/internal/network", "scope"},
		"comet/guest/internal/routes":        {"comet/guest/internal/frame", "comet/guest/internal/network", "scope"},
		"comet/guest/internal/router":        {"comet/guest/internal/frame"},
		"comet/guest/internal/users":         {"comet/guest/internal/frame", "comet/guest/internal/sshkey", "comet/internal/atomicfile", "scope"},
		"comet/guest/internal/scripts":       {"comet/guest/internal/frame", "comet/internal/atomicfile", "scope"},
		"comet/guest/internal/metadataguard": {"comet/guest/internal/frame"},
		"comet/guest/internal/storage":       {"comet/guest/internal/frame", "comet/internal/atomicfile", "comet/orca", "scope"},

		"comet/guest/internal/frame/frametest": {"comet/guest/internal/frame", "testdata/needs"},
	}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "cmd") || strings.HasPrefix(name, "examples") {
			continue
		}
		allowed, known := may[name]
		if !assert.True(t, known, "%s is not in the house yet: say here what it stands on", name) {
			continue
		}
		for _, i := range p.Imports {
			if ours, ok := strings.CutPrefix(i, module); ok {
				assert.Contains(t, allowed, ours, "%s imports it", name)
			}
		}
	}
}

// Whoever imports the SDK gets a client, and no server, store, command line, metrics or network library with it.
func TestTheSDKIsLight(t *testing.T) {
	for _, p := range list(t, "./comet", "./scope", "./tlsconfig") {
		for _, d := range p.Deps {
			for _, heavy := range []string{"comet/server", "bbolt", "etcd", "urfave", "prometheus", "netlink", "yaml", "progressbar", "testing"} {
				if heavy == "testing" {
					assert.NotEqual(t, heavy, d, "%s", p.ImportPath)
					continue
				}
				assert.NotContains(t, d, heavy, "%s", p.ImportPath)
			}
		}
	}
	for _, p := range list(t, "./comet/guest", "./comet/controller", "./comet/am", "./comet/orca") {
		assert.False(t, slices.ContainsFunc(p.Deps, func(d string) bool {
			return strings.Contains(d, "bbolt") || strings.Contains(d, "etcd") || strings.Contains(d, "comet/server")
		}), "%s carries a store", p.ImportPath)
	}
}

// Only the store on etcd, and so only cometd, carries etcd's client and what comes with it.
func TestEtcdStaysInItsStore(t *testing.T) {
	found := false
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, i := range p.Imports {
			if strings.HasPrefix(i, "go.etcd.io/etcd") || strings.HasPrefix(i, "google.golang.org/grpc") || strings.HasPrefix(i, "go.uber.org/zap") {
				assert.Equal(t, "comet/server/etcd", name, "it imports %s", i)
				found = true
			}
		}
		if slices.Contains(p.Deps, module+"comet/server/etcd") {
			assert.Contains(t, []string{"cmd/cometd"}, name)
		}
	}
	assert.True(t, found, "nobody imports etcd any more")
}

func list(t *testing.T, patterns ...string) []listed {
	c := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	c.Dir = ".."
	text, err := c.Output()
	require.NoError(t, err)
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(text))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			require.NotEmpty(t, all)
			return all
		} else {
			require.NoError(t, err)
		}
		all = append(all, p)
	}
}
