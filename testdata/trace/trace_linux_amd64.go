// Package trace stops a program before each system call that changes something, for tests that kill it there. Linux on amd64 only.
package trace

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Apart is how many of these calls lie between two kills.
var Apart = flag.Int("kills.apart", 16, "how many system calls lie between two kills; 1: it is killed at every one")

// Run runs a program and stops it before each system call by which it changes a file below root or the network, or starts another program;
// those that it starts are not looked into. before is asked with the call's number, from 1, and its name, and where it returns false the
// program is killed there. It reports whether it was left to its end, and how that was.
func Run(t *testing.T, c *exec.Cmd, root string, before func(n int, call string) bool) (ended bool, code int) {
	t.Helper()
	runtime.LockOSThread() // the thread that starts a process is the one that may look into it
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
	require.NoError(t, c.Start())
	defer c.Process.Release()
	leader := c.Process.Pid
	var status unix.WaitStatus
	_, err := unix.Wait4(leader, &status, unix.WALL, nil)
	require.NoError(t, err)
	require.NoError(t, unix.PtraceSetOptions(leader, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_EXITKILL))
	require.NoError(t, unix.PtraceSyscall(leader, 0))
	inside := map[int]bool{} // threads that are in a system call
	for n := 0; ; {
		thread, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		require.NoError(t, err)
		signal := 0
		switch {
		case status.Exited() || status.Signaled():
			if thread == leader {
				return true, status.ExitStatus()
			}
			continue
		case status.StopSignal() == unix.SIGTRAP|0x80:
			inside[thread] = !inside[thread]
			if call := changes(thread, root); inside[thread] && call != "" {
				if n++; !before(n, call) {
					require.NoError(t, unix.Kill(leader, unix.SIGKILL))
					for thread != leader || !status.Signaled() {
						if thread, err = unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil); err != nil {
							require.NoError(t, err)
						}
					}
					return false, 0
				}
			}
		case status.StopSignal() != unix.SIGTRAP && status.StopSignal() != unix.SIGSTOP:
			signal = int(status.StopSignal())
		}
		_ = unix.PtraceSyscall(thread, signal) // it may have been ended by another thread meanwhile
	}
}

// byFile are the calls that change an open file, byPath those that change a folder.
var (
	byFile = map[uint64]string{unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "pwrite", unix.SYS_WRITEV: "writev", unix.SYS_FTRUNCATE: "ftruncate",
		unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHOWN: "fchown", unix.SYS_FSETXATTR: "fsetxattr",
		unix.SYS_FREMOVEXATTR: "fremovexattr", unix.SYS_COPY_FILE_RANGE: "copy_file_range", unix.SYS_SENDFILE: "sendfile"}
	byPath = map[uint64]string{unix.SYS_RENAME: "rename", unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2", unix.SYS_UNLINK: "unlink",
		unix.SYS_UNLINKAT: "unlinkat", unix.SYS_MKDIR: "mkdir", unix.SYS_MKDIRAT: "mkdirat", unix.SYS_RMDIR: "rmdir", unix.SYS_LINK: "link",
		unix.SYS_LINKAT: "linkat", unix.SYS_SYMLINK: "symlink", unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_CHMOD: "chmod", unix.SYS_FCHMODAT: "fchmodat",
		unix.SYS_CHOWN: "chown", unix.SYS_FCHOWNAT: "fchownat", unix.SYS_SETXATTR: "setxattr", unix.SYS_LSETXATTR: "lsetxattr", unix.SYS_TRUNCATE: "truncate"}
)

// changes names the call that a thread is about to make, where it may change something; else it is empty.
func changes(thread int, root string) string {
	var regs unix.PtraceRegs
	if unix.PtraceGetRegs(thread, &regs) != nil {
		return ""
	}
	if call, ok := byPath[regs.Orig_rax]; ok {
		return call
	}
	switch {
	case regs.Orig_rax == unix.SYS_OPENAT && regs.Rdx&unix.O_CREAT != 0:
		return "openat"
	case regs.Orig_rax == unix.SYS_CLONE && regs.Rdi&unix.CLONE_VFORK != 0:
		return "clone"
	case regs.Orig_rax == unix.SYS_SENDTO && asksKernel(thread, regs):
		return "sendto"
	}
	file, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", thread, regs.Rdi))
	if call, ok := byFile[regs.Orig_rax]; ok && strings.HasPrefix(file, root) {
		return call + " " + filepath.Base(file)
	}
	return ""
}

// asksKernel reports whether a message is for the kernel's network, by rtnetlink(7), and no mere question.
func asksKernel(thread int, regs unix.PtraceRegs) bool {
	var to [2]byte
	var message [unix.NLMSG_HDRLEN]byte
	if _, err := unix.PtracePeekData(thread, uintptr(regs.R8), to[:]); err != nil || binary.NativeEndian.Uint16(to[:]) != unix.AF_NETLINK {
		return false
	}
	_, err := unix.PtracePeekData(thread, uintptr(regs.Rsi), message[:])
	const kind, question = 3, 2 // each thing has four kinds of messages: new, del, get, set
	return err == nil && binary.NativeEndian.Uint16(message[4:])&kind != question
}
