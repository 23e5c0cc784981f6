// Package secrecy decides which files keep their secrets, the same for every command that warns about it.
package secrecy

import (
	"io/fs"
	"os"
)

// Exposed returns the permissions of a file, and whether they let anybody but its owner at it. A file that is not there is not exposed:
// that is said elsewhere.
func Exposed(path string) (fs.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	return info.Mode().Perm(), info.Mode().Perm()&0o077 != 0
}
