package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// system are folders in which, and in the place of which, no disk of a slice is mounted.
var system = []string{"/bin", "/boot", "/dev", "/efi", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/run", "/sbin",
	"/sys", "/tmp", "/usr", "/var/cache", "/var/lib/comet-guest", "/var/lib/dpkg", "/var/lib/iscsi", "/var/lib/neuca", "/var/lib/rpm",
	"/var/lib/systemd", "/var/log", "/var/run", "/var/spool", "/var/tmp"}

// whole are folders that no disk takes the place of; below them is room.
var whole = []string{"/", "/home", "/var", "/var/lib"}

func checkMountPoint(name string) error {
	const longest = 1000
	if len(name) > longest || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return wrong("fsMountPoint", "is too long, or has characters that are not printable")
	}
	for _, folder := range system {
		if within(name, folder) {
			return wrong("fsMountPoint", "is or lies in "+folder+", which belongs to the system")
		}
	}
	for _, folder := range whole {
		if name == folder {
			return wrong("fsMountPoint", "is "+folder+", which belongs to the system")
		}
	}
	return nil
}

// free makes sure that nothing is hidden or diverted by a mount on a folder: it is missing or empty, and nobody but root can put
// something else into its way.
func free(m *frame.Machine, folder string) error {
	name := strings.TrimPrefix(folder, "/")
	for at := 0; at <= len(name); {
		part := name
		if next := strings.IndexByte(name[at:], '/'); next >= 0 {
			part = name[:at+next]
		}
		info, err := m.Root().Lstat(part)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return wrong("fsMountPoint", "leads over /"+part+", which is no folder")
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); part != name && (!ok || stat.Uid != 0 || info.Mode().Perm()&0o022 != 0) {
			return wrong("fsMountPoint", "lies below /"+part+", where others than root may write")
		}
		at = len(part) + 1
	}
	return empty(m.Root(), name)
}

func empty(root *os.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(1)
	if len(entries) > 0 {
		return wrong("fsMountPoint", "is a folder that is not empty")
	}
	if len(entries) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// line is that of a file system in /etc/fstab.
func line(uuid, mount, fsType string) string {
	return fmt.Sprintf("UUID=%s\t%s\t%s\t%s\t0\t0", uuid, escape.Replace(mount), fsType, options)
}

// options of the mount: after the network, and the machine starts without it.
const options = "_netdev,nofail"

// escape is how fstab(5) writes paths, and unescape how it and the kernel's tables are read.
var (
	escape   = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)
	unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")
)
