//go:build !linux

package frame

import (
	"io/fs"
	"syscall"
	"time"
)

// alone puts a command into a process group of its own. VMs run Linux; elsewhere people try a guest below a folder, where it runs none.
func alone() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// noted knows nothing: each look is a whole one.
func noted(fs.FileInfo) (text string, changed time.Time, known bool) { return "", time.Time{}, false }
