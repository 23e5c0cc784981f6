package vms

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Files are put down on a VM's disk: what is at each path below /. Folders on the way are made, mode 0755.
type Files map[string]File

// File is what is at a path.
type File struct {
	Mode    fs.FileMode // permissions, 0644 where there are none; or fs.ModeSymlink
	Content string      // of a link: where it leads
}

// Numbers of the cpio format "newc" as the kernel's documentation has it (driver-api/early-userspace/buffer-format).
const (
	cpioFolder = 0o040000
	cpioFile   = 0o100000
	cpioLink   = 0o120000
	cpioEnd    = "TRAILER!!!"
)

// writeCPIO writes an archive of the files, all root's. The kernel reads any number of them one after the other.
func writeCPIO(w io.Writer, files Files) error {
	a := cpio{w: w, folders: map[string]bool{".": true}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		a.folder(path.Dir(path.Clean("./" + name)))
		kind := uint32(cpioFile)
		if f.Mode&fs.ModeSymlink != 0 {
			kind = cpioLink
		}
		mode := f.Mode.Perm()
		if mode == 0 {
			mode = 0o644
		}
		a.entry(path.Clean("./"+name), kind|uint32(mode), f.Content)
	}
	a.entry(cpioEnd, 0, "")
	return a.err
}

// cpio is an archive on its way. It keeps the first error.
type cpio struct {
	w       io.Writer
	count   int
	folders map[string]bool
	err     error
}

func (a *cpio) folder(name string) {
	if a.folders[name] {
		return
	}
	a.folders[name] = true
	a.folder(path.Dir(name))
	a.entry(name, cpioFolder|0o755, "")
}

func (a *cpio) entry(name string, mode uint32, content string) {
	a.count++
	a.write(fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0), name, "\x00")
	a.pad(110 + len(name) + 1)
	a.write(content)
	a.pad(len(content))
}

// pad fills up to the next multiple of four.
func (a *cpio) pad(length int) { a.write(strings.Repeat("\x00", -length&3)) }

func (a *cpio) write(texts ...string) {
	for _, text := range texts {
		if a.err == nil {
			_, a.err = io.WriteString(a.w, text)
		}
	}
}
