package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mainVariable makes the program of the tests the guest itself.
const mainVariable = "COMET_GUEST_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		os.Unsetenv(mainVariable)
		main()
	}
	os.Exit(m.Run())
}

// command is the guest with these arguments.
func command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), mainVariable+"=1")
	return c
}

// leftovers are files that the guest makes on the way to others.
func leftovers(t *testing.T, root string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), ".comet-") {
			names = append(names, path)
		}
		return err
	}))
	slices.Sort(names)
	return names
}
