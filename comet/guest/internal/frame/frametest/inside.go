package frametest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

const variable = "COMET_TEST_INSIDE"

// Inside runs the rest of a test in a process that has a machine of its own, and reports whether this is that process. There, / is an
// overlay in memory on the real one, and mounts, processes and network are private; all of it goes with the process. It takes root. That
// the real machine is left alone is checked.
func Inside(t *testing.T) bool {
	t.Helper()
	if os.Getenv(variable) != "" {
		return true
	}
	needs.Root(t, "mount an overlay")
	before := traces(t)
	// The first process of a namespace has to bury those that lost their parents, which a shell does and a test does not.
	cmd := exec.Command("/bin/sh", "-c", `"$0" "$@"; exit $?`, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Start()
	if err != nil {
		needs.Missing(t, fmt.Sprintf("no namespaces to be had: %v", err))
	}
	err = cmd.Wait()
	if strings.Contains(out.String(), "--- SKIP: "+t.Name()) {
		needs.Missing(t, out.String())
	}
	require.NoError(t, err, out.String())
	require.Contains(t, out.String(), "--- PASS: "+t.Name())
	require.Equal(t, before, traces(t), "the machine itself has changed")
	return false
}

// Main is TestMain of a package whose tests call Inside.
func Main(m *testing.M) {
	if at := os.Getenv(variable); at != "" && at != entered {
		if err := enter(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Setenv(variable, entered) // for processes that tests start in turn
	}
	os.Exit(m.Run())
}

const entered = "yes"

// enter makes an overlay the root folder.
func enter(at string) error {
	root := filepath.Join(at, "root")
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("memory for the overlay: %w", err)
	}
	for _, folder := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(at, folder), 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=/,upperdir=%s/upper,workdir=%s/work", at, at)); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	for _, folder := range []string{"/dev", "/sys"} {
		if err := unix.Mount(folder, filepath.Join(root, folder), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := unix.Chroot(root); err != nil {
		return err
	}
	return os.Chdir(here)
}

// traces is what a test that is not inside would leave on the machine.
func traces(t *testing.T) (seen []string) {
	for _, file := range []string{"/etc/passwd", "/etc/shadow", "/etc/group", "/root/.ssh/authorized_keys"} {
		content, err := os.ReadFile(file)
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		seen = append(seen, string(content))
	}
	for _, pattern := range []string{"/" + frame.StateFolder + "*", "/etc/sudoers.d/*", "/home/*", "/var/lib/neuca*"} {
		names, err := filepath.Glob(pattern)
		require.NoError(t, err)
		seen = append(seen, names...)
	}
	return seen
}
