package guest

import (
	"errors"
	"io/fs"
	"path"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// setBlock keeps one block of a file below the root, and leaves the file alone where the block is right. Where somebody else changes
// the file at the same time, it is read again.
func (g *Guest) setBlock(name string, mode fs.FileMode, m block.Markers, lines []string, r *Report) error {
	for {
		changed, err := g.setBlockOnce(name, mode, m, lines)
		if errors.Is(err, atomicfile.ErrChanged) {
			continue
		}
		if changed {
			r.Changed = append(r.Changed, "/"+name)
		}
		return err
	}
}

func (g *Guest) setBlockOnce(name string, mode fs.FileMode, m block.Markers, lines []string) (changed bool, err error) {
	before, err := atomicfile.Read(g.root, name, atomicfile.ReplaceOptions{})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if errors.Is(err, fs.ErrNotExist) && len(lines) == 0 {
		return false, nil
	}
	after, err := block.Set(before, m, lines, block.Options{})
	if err != nil {
		return false, err
	}
	if err := g.makeFolder(path.Dir(name), 0o755); err != nil {
		return false, err
	}
	if before == nil {
		before = []byte{}
	}
	result, err := atomicfile.Replace(g.root, name, after, atomicfile.ReplaceOptions{
		Expect: before,
		New:    &atomicfile.Options{Mode: mode},
	})
	return result.Changed, err
}
