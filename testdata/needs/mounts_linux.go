package needs

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const insideVariable = "TEST_MAY_MOUNT"

// Mounts runs the rest of a test in a process of its own that may mount, and where nobody else sees what is mounted. It reports whether
// this is that process; in the other one the test is over.
func Mounts(t *testing.T) (inside bool) {
	t.Helper()
	if os.Getenv(insideVariable) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], append(os.Args[1:], "-test.run=^"+t.Name()+"$", "-test.v", "-test.testlogfile=")...)
	cmd.Env = append(os.Environ(), insideVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWNS | unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		Missing(t, fmt.Sprintf("no mount namespace to be had: %v", err))
	}
	require.NoError(t, cmd.Wait(), out.String())
	require.Contains(t, out.String(), "--- PASS: "+t.Name())
	return false
}

// Mount mounts until the test ends, after Mounts.
func Mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	require.NoError(t, unix.Mount(source, target, kind, flags, data))
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}
