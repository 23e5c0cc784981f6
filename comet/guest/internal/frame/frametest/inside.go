package frametest

import (
	"flag"
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
	// The first process of a namespace has to bury those that lost their parents, which a shell does and a test does not.
	cmd := exec.Command("/bin/sh", "-c", `"$0" "$@"; exit $?`, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") { // those of tests themselves
			cmd.Args = append(cmd.Args, "-"+f.Name+"="+f.Value.String())
		}
	})
	cmd.Env = append(os.Environ(), variable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	passes(t, cmd, out.String)
	return false
}

// passes runs a test in namespaces of its own, and looks at what it said.
func passes(t *testing.T, cmd *exec.Cmd, said func() string) {
	t.Helper()
	before := traces(t)
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		needs.Missing(t, fmt.Sprintf("no namespaces to be had: %v", err))
	}
	err := cmd.Wait()
	out := said()
	if strings.Contains(out, "--- SKIP: "+t.Name()) || strings.Contains(out, noMachine) {
		needs.Missing(t, out)
	}
	require.NoError(t, err, out)
	require.Contains(t, out, "--- PASS: "+t.Name())
	require.Equal(t, before, traces(t), "the machine itself has changed")
}

// Main is TestMain of a package whose tests call Inside.
func Main(m *testing.M) {
	Enter()
	os.Exit(m.Run())
}

// Enter is what Main does first, for a TestMain that does more.
func Enter() {
	at := os.Getenv(variable)
	if at != "" && at != entered {
		if err := enter(at); err != nil {
			fmt.Fprintln(os.Stderr, noMachine, err)
			os.Exit(1)
		}
		os.Setenv(variable, entered) // for processes that tests start in turn
	}
}

const (
	entered   = "yes"
	noMachine = "no machine of its own to be had:"
)

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
