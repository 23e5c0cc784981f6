package frametest

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/testdata/needs"
)

const (
	bootVariable = "COMET_TEST_BOOT" // the test that systemd is to run
	saidVariable = "COMET_TEST_SAID" // the folder for what it says, of the machine itself
	systemd      = "/lib/systemd/systemd"
)

// UnderSystemd is Inside with a systemd of its own, of which the test is a service.
func UnderSystemd(t *testing.T) bool {
	t.Helper()
	if os.Getenv(variable) != "" {
		return true
	}
	needs.Root(t, "start a systemd")
	needs.Program(t, "systemctl", "systemd")
	group := controlGroup(t)
	said := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+t.TempDir(), bootVariable+"="+t.Name(), saidVariable+"="+said)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		UseCgroupFD: true,
		CgroupFD:    int(group.Fd()),
	}
	var early strings.Builder
	cmd.Stderr = &early
	passes(t, cmd, func() string { return early.String() + Read(t, filepath.Join(said, "out")) })
	return false
}

// controlGroup makes a control group, in which systemd makes more.
func controlGroup(t *testing.T) *os.File {
	t.Helper()
	mounts, err := os.Open("/proc/self/mounts")
	require.NoError(t, err)
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		if mount := strings.Fields(lines.Text()); mount[2] == "cgroup2" {
			path, err := os.MkdirTemp(mount[1], "comet-test-")
			require.NoError(t, err)
			t.Cleanup(func() { removeGroup(t, path) })
			group, err := os.Open(path)
			require.NoError(t, err)
			t.Cleanup(func() { _ = group.Close() })
			return group
		}
	}
	needs.Missing(t, "there are no control groups of version 2")
	return nil
}

func removeGroup(t *testing.T, path string) {
	t.Helper()
	var groups []string
	require.NoError(t, filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			groups = append(groups, path)
		}
		return err
	}))
	for _, group := range slices.Backward(groups) {
		require.NoError(t, unix.Rmdir(group))
	}
}

// boot becomes systemd, which runs the test and ends.
func boot(root string) error {
	if err := os.Mkdir(filepath.Join(root, "said"), 0o755); err != nil {
		return err
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"sysfs", "sys", "sysfs", 0},
		{"cgroup2", "sys/fs/cgroup", "cgroup2", 0},
		{"tmpfs", "run", "tmpfs", 0},
		{os.Getenv(saidVariable), "said", "", unix.MS_BIND},
	} {
		if err := unix.Mount(m.source, filepath.Join(root, m.target), m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	if err := bare(root); err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	unit := fmt.Sprintf(`[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
TimeoutStartSec=5min
WorkingDirectory=%s
Environment=%s=%s CI=%s HOME=/root
ExecStart=%s -test.run=^%s$ -test.v
StandardOutput=file:/said/out
StandardError=inherit
`, here, variable, entered, os.Getenv("CI"), os.Args[0], os.Getenv(bootVariable))
	if err := os.WriteFile(filepath.Join(root, "etc/systemd/system/comet-test.service"), []byte(unit), 0o644); err != nil {
		return err
	}
	if err := unix.Chroot(root); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Exec(systemd, []string{systemd, "--unit=comet-test.service"}, []string{"container=comet-test", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
}

// bare takes away what a machine does when it comes up, for which the test would wait.
func bare(root string) error {
	for _, folder := range []string{"lib", "etc"} {
		wants, err := filepath.Glob(filepath.Join(root, folder, "systemd/system/*.target.wants"))
		if err != nil {
			return err
		}
		for _, folder := range append(wants, filepath.Join(root, "etc/fstab")) {
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
		}
	}
	return nil
}
