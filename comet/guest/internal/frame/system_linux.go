package frame

import (
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// alone puts a command into a process group of its own, and ends it with the guest.
func alone() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// noted is what the file system notes of a file, and when the file was changed last in any way.
func noted(info fs.FileInfo) (text string, changed time.Time, known bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return "", time.Time{}, false
	}
	return fmt.Sprintln(st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim), time.Unix(st.Ctim.Unix()), true
}
