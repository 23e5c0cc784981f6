package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/testdata/programs"
)

// Who starts the guest by the name of an older daemon hears that one runs already.
func TestAGuestThatRunsIsNotStartedAgain(t *testing.T) {
	if !needs.Mounts(t) {
		return
	}
	bin := t.TempDir()
	require.NoError(t, programs.Build(bin, "."))
	for _, folder := range []string{"/run", "/var"} { // where systemd is not, and no guest has been
		needs.Mount(t, "tmpfs", folder, "tmpfs", 0, "")
	}
	require.NoError(t, os.Mkdir("/var/log", 0o755))
	program := filepath.Join(bin, "comet-guest")
	first := exec.Command(program, "run", "--user-data", filepath.Join(bin, "nothing-yet"))
	require.NoError(t, first.Start())
	defer func() {
		assert.NoError(t, first.Process.Signal(os.Interrupt))
		assert.NoError(t, first.Wait())
	}()
	require.Eventually(t, func() bool {
		text, _ := exec.Command(program, "status").Output()
		return strings.Contains(string(text), "searching")
	}, time.Minute, 10*time.Millisecond)
	text, err := exec.Command(program, "neucad", "start").CombinedOutput()
	require.Error(t, err)
	assert.Equal(t, "comet-guest: a guest runs on this machine already\n", string(text))
}
