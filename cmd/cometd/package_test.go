//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/testdata/needs"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

// The settings that the package brings are good as they are, and those that it shows in comments exist.
func TestPackagedSettings(t *testing.T) {
	path, err := filepath.Abs("package/cometd.yaml")
	require.NoError(t, err)
	code, stdout, stderr := output(t, []string{unset}, "config", "check", "--config", path)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "/var/lib/cometd, file", settingsOf(stdout)["data"])
	require.Equal(t, "127.0.0.1:8112, file", settingsOf(stdout)["metrics-listen"])
	shown := regexp.MustCompile(`(?m)^#([a-z-]+): `).FindAllStringSubmatch(read(t, path), -1)
	require.NotEmpty(t, shown)
	for _, s := range shown {
		require.Contains(t, settingsOf(stdout), s[1])
	}
}

func TestPackagedUnit(t *testing.T) {
	unit := read(t, "package", "cometd.service")
	require.Contains(t, unit, "ExecStart=/usr/bin/cometd serve --config /etc/cometd/cometd.yaml\n")
	require.Contains(t, unit, "StateDirectory=cometd\n")
	require.Regexp(t, `(?m)^RestrictAddressFamilies=.*\bAF_UNIX\b`, unit, "the socket for operators")
	require.Contains(t, read(t, "package", "cometd.yaml"), "\ndata: /var/lib/cometd\n", "where the unit lets it write")
	require.Contains(t, read(t, "package", "cometd.sysusers"), "u cometd ")
	for _, name := range []string{"NoNewPrivileges", "ProtectSystem", "CapabilityBoundingSet", "SystemCallFilter", "RestrictAddressFamilies"} {
		require.Contains(t, unit, "\n"+name+"=")
	}
	verify := needs.Program(t, "systemd-analyze", "systemd")
	// The program is not where the package puts it: the one of this test stands in for it.
	tried := filepath.Join(t.TempDir(), "cometd.service")
	require.NoError(t, os.WriteFile(tried, []byte(strings.ReplaceAll(unit, "/usr/bin/cometd", os.Args[0])), 0o600))
	out, err := exec.Command(verify, "verify", tried).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "cometd.service")
}

// Whatever a recipe takes is there.
func TestPackageRecipes(t *testing.T) {
	for _, name := range []string{"cometd", "comet-guest"} {
		var recipe struct {
			Contents []struct{ Src, Dst, Type string }
			Scripts  map[string]string
		}
		require.NoError(t, yaml.Unmarshal([]byte(read(t, "..", name, "package", "nfpm.yaml")), &recipe))
		require.NotEmpty(t, recipe.Contents)
		for _, c := range recipe.Contents {
			if c.Type != "symlink" && !strings.HasPrefix(c.Src, "${PACKAGE_BIN}/") {
				require.FileExists(t, filepath.Join("..", "..", c.Src))
			}
		}
		for _, script := range recipe.Scripts {
			out, err := exec.Command("sh", "-n", filepath.Join("..", "..", script)).CombinedOutput()
			require.NoError(t, err, string(out))
		}
	}
}

// The dashboard asks for nothing that heads do not have.
func TestDashboardShowsMetricsThatThereAre(t *testing.T) {
	h := serveHead(t, t.TempDir(), nil, "--metrics-listen", "127.0.0.1:0")
	_, _, err := h.call("GET", "/readScope", "vm", "")
	require.NoError(t, err)
	_, there := h.operators("/metrics")
	h.terminate()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "package", "dashboard.json")), &board))
	asked := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`\b(comet_head|process|go)_\w+`).FindAllString(target.Expr, -1) {
				require.Contains(t, there, "\n"+name, p.Title)
				asked++
			}
		}
	}
	require.Greater(t, asked, 8)
}
