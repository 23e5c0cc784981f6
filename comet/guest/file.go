package guest

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// fileBlock is a block of lines that the guest keeps in a file of the system.
type fileBlock struct {
	file    string // below the root
	mode    fs.FileMode
	markers block.Markers
}

var (
	hostsBlock = fileBlock{"etc/hosts", 0o644, block.NEuca("comet")}
	keysBlock  = fileBlock{sshFolder + "/authorized_keys", 0o600, block.NEuca("comet pubkeys")}
)

// setTries is how often a file is read again that somebody else changes at the same time.
const setTries = 5

// setBlock makes a block hold these lines, sorted, beside those of its lines that are to stay; nil: none. A file in which the block is
// right is left alone.
func (g *Guest) setBlock(b fileBlock, lines []string, stays func(line string) bool, r *Report) (err error) {
	for range setTries {
		var changed bool
		changed, err = g.setBlockOnce(b, lines, stays)
		if changed {
			r.Changed = append(r.Changed, "/"+b.file)
		}
		if !errors.Is(err, atomicfile.ErrChanged) {
			break
		}
	}
	return err
}

func (g *Guest) setBlockOnce(b fileBlock, lines []string, stays func(line string) bool) (changed bool, err error) {
	before, err := atomicfile.Read(g.root, b.file, atomicfile.ReplaceOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		if len(lines) == 0 {
			return false, nil
		}
		before, err = []byte{}, g.makeFolder(path.Dir(b.file), b.folderMode())
	}
	if err != nil {
		return false, err
	}
	after, err := b.set(before, lines, stays)
	if err != nil {
		return false, err
	}
	result, err := atomicfile.Replace(g.root, b.file, after, atomicfile.ReplaceOptions{
		Expect: before,
		New:    &atomicfile.Options{Mode: b.mode},
	})
	return result.Changed, err
}

// set returns the file with the block in it. Of a block that has lost its end, the lines count as ours that would be in it again.
func (b fileBlock) set(file []byte, lines []string, stays func(line string) bool) ([]byte, error) {
	lines = slices.Clone(lines)
	if stays != nil {
		have, _ := block.Get(file, b.markers, block.Options{})
		lines = append(lines, slices.DeleteFunc(have, func(line string) bool { return !stays(line) })...)
	}
	slices.Sort(lines)
	own := func(line string) bool { _, ours := slices.BinarySearch(lines, line); return ours }
	return block.Set(file, b.markers, lines, block.Options{Own: own})
}

// folderMode lets those into a new folder who may read the file.
func (b fileBlock) folderMode() fs.FileMode { return b.mode | b.mode>>2&0o111 }
