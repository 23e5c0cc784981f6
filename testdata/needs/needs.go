// Package needs is for tests of what not every machine has: there they are skipped, while CI, which installs what is needed, fails.
package needs

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program; its Debian package is named to who lacks it.
func Program(t testing.TB, name, debian string) (path string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "there is no "+name+": install the package "+debian+" to run this test")
	}
	return path
}

// Root makes sure that the test runs as root; may says what others may not do.
func Root(t testing.TB, may string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "only root may "+may)
	}
}

// Missing ends a test for which something is missing.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
