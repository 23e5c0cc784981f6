package main

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who is not root is told so at once, by every command that works on the machine itself in the same way.
func TestTheMachineIsForRoot(t *testing.T) {
	for _, args := range [][]string{{"plan"}, {"once"}, {"run"}, {"clean"}, {"show", "hosts"}} {
		c := command(args...)
		if os.Geteuid() == 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER} // in which nobody is root
		}
		out, err := c.CombinedOutput()
		require.Error(t, err)
		assert.Equal(t, 2, c.ProcessState.ExitCode())
		assert.Equal(t, "comet-guest: this needs root: sudo comet-guest "+args[0]+"\n", string(out))
	}
}
