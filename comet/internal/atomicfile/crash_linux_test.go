package atomicfile_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

const crashVariable = "ATOMICFILE_TEST_CRASH"

var versions = []string{strings.Repeat("foreign\n", 5000), strings.Repeat("foreign\n", 5000) + strings.Repeat("ours\n", 5000)}

// TestCrash kills a process that replaces a file again and again, at whatever point it has reached, and looks at what is left.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(crashVariable); dir != "" {
		replaceForEver(t, dir)
	}
	root, dir := folder(t, map[string]string{"hosts": versions[0]})
	crashes(t, dir, func() {
		require.True(t, content(t, dir, "hosts") == versions[0] || content(t, dir, "hosts") == versions[1], "torn")
		recoverWhole(t, root, dir)
	})
}

func TestCrashInPlace(t *testing.T) {
	if dir := os.Getenv(crashVariable); dir != "" {
		replaceForEver(t, dir)
	}
	if !needs.Mounts(t) {
		return
	}
	root, dir := folder(t, map[string]string{"hosts": "", "outside/hosts": versions[0]})
	needs.Mount(t, filepath.Join(dir, "outside/hosts"), filepath.Join(dir, "hosts"), "", unix.MS_BIND, "")
	crashes(t, dir, func() { recoverWhole(t, root, dir) })
}

// crashes starts and kills the process a number of times, each time after a few rounds of its work.
func crashes(t *testing.T, dir string, look func()) {
	for i := range 20 {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), crashVariable+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for range 1 + i%3 {
			require.True(t, lines.Scan(), "the process ended by itself")
			require.Equal(t, "round", lines.Text())
		}
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		look()
	}
}

func recoverWhole(t *testing.T, root *os.Root, dir string) {
	t.Helper()
	_, err := atomicfile.Recover(root, "hosts", atomicfile.ReplaceOptions{})
	require.NoError(t, err)
	now := content(t, dir, "hosts")
	require.True(t, now == versions[0] || now == versions[1], "torn")
	require.Empty(t, ourFiles(t, dir))
}

func replaceForEver(t *testing.T, dir string) {
	root := openRoot(t, dir)
	for i := 0; ; i++ {
		_, err := atomicfile.Replace(root, "hosts", []byte(versions[i%2]), atomicfile.ReplaceOptions{})
		require.NoError(t, err)
		fmt.Println("round")
	}
}
