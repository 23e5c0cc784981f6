package frame

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// Block is a block of lines that the guest keeps in a file that belongs to others.
type Block struct {
	File    string // below the root, or Below
	Name    string // of the markers, as the older tools have it: "loopback", "comet", "comet pubkeys", "comet user keys"
	Mode    fs.FileMode
	Spaced  bool // with a blank line above and below
	NoLinks bool
	Below   string            // as in File
	Owner   *atomicfile.Owner // as in File
}

// in is the file with the block in it, which holds this.
func (b Block) in(content []byte) File {
	return File{Name: b.File, Content: content, Mode: b.Mode, NoLinks: b.NoLinks, Below: b.Below, Owner: b.Owner}
}

// SetBlock returns the step that makes a block hold these lines, sorted; without lines the block goes. There is none where the block
// is right. Damage is repaired: of a block that has lost its end, those lines count as the guest's that would be in it again.
func (m *Machine) SetBlock(b Block, lines []string) ([]Step, error) {
	before, err := m.read(b.in(nil))
	if errors.Is(err, fs.ErrNotExist) && len(lines) == 0 {
		return nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines = slices.Compact(slices.Sorted(slices.Values(lines)))
	own := func(line string) bool { _, ours := slices.BinarySearch(lines, line); return ours }
	after, err := block.Set(before, block.NEuca(b.Name), lines, block.Options{Own: own, Spaced: b.Spaced})
	if err != nil {
		return nil, err
	}
	return m.Put(b.in(after))
}

// BlockLines returns the lines that a block holds now; none where there is no block or no file.
func (m *Machine) BlockLines(b Block) ([]string, error) {
	file, err := m.read(b.in(nil))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lines, _ := block.Get(file, block.NEuca(b.Name), block.Options{Spaced: b.Spaced})
	return lines, err
}

// Foreign returns what stands in a file outside the block, as it would be without the block. Of a block that has lost its end, those
// lines count as the guest's for which own is true.
func (m *Machine) Foreign(b Block, own func(line string) bool) ([]byte, error) {
	file, err := m.read(b.in(nil))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return block.Set(file, block.NEuca(b.Name), nil, block.Options{Own: own, Spaced: b.Spaced})
}
