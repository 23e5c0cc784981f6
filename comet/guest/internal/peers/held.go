package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// heldFile, of the whole machine, keeps whose VMs stand in which block: the names of slices, by that of the block. An instance that comes
// after another one, in another slice, finds there that the lines are none of its own slice, so that no answer of that is about them.
const heldFile = frame.StateFolder + "/blocks.json"

// held is whose VMs stand in a block.
type held struct {
	machine *frame.Machine
	block   frame.Block
	all     map[string][]string
	now     []string // the slices whose groups are read now
}

// holds looks whose VMs stand in a block that these groups fill.
func holds(m *frame.Machine, b frame.Block, groups []group) (held, error) {
	h := held{m, b, map[string][]string{}, nil}
	for _, g := range groups {
		if slice := g.in.Self().SliceID.String(); !slices.Contains(h.now, slice) {
			h.now = append(h.now, slice)
		}
	}
	slices.Sort(h.now)
	data, err := m.Read(heldFile, true)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err == nil && json.Unmarshal(data, &h.all) != nil {
		err = errors.New("is not what the guest has written there; remove it")
	}
	if err != nil {
		return h, fmt.Errorf("/%s: %w", heldFile, err)
	}
	return h, nil
}

// former reports whether all that stands in the block is of slices that the VM has left.
func (h held) former() bool {
	before := h.all[h.block.Name]
	in := func(slice string) bool { return slices.Contains(h.now, slice) }
	return len(before) > 0 && len(h.now) > 0 && !slices.ContainsFunc(before, in)
}

// remember returns the step that notes whose VMs stand in the block once it has these lines. sure: nobody else's are among them.
func (h held) remember(lines []string, sure bool) ([]frame.Step, error) {
	next := slices.Clone(h.now)
	if !sure {
		next = append(next, h.all[h.block.Name]...)
		slices.Sort(next)
		next = slices.Compact(next)
	}
	if len(lines) == 0 && len(h.all[h.block.Name]) == 0 || slices.Equal(next, h.all[h.block.Name]) {
		return nil, nil
	}
	h.all[h.block.Name] = next
	data, err := json.Marshal(h.all)
	if err != nil {
		return nil, err
	}
	steps, err := h.machine.Put(frame.File{Name: heldFile, Content: data, Mode: 0o600, Secret: true, NoLinks: true})
	for i := range steps {
		steps[i].Text, steps[i].Own = "remember whose VMs stand in /"+h.block.File, true
	}
	return steps, err
}

// filling is what a block is to hold.
type filling struct {
	lines    []string // what groups show
	have     []string // what stands there
	stay     []string // what of that no group contradicts
	sure     bool     // what no group shows is gone
	believed bool     // no group is in doubt: what no group shows is gone if it is of a slice that the VM has left
}

// plan plans to fill the block. In doubt it loses nothing.
func (h held) plan(p *frame.Plan, f filling) error {
	former := h.former()
	sure, lines := f.sure || f.believed && former, f.lines
	p.Count = len(lines)
	switch {
	case sure:
	case former:
		p.Notes = append(slices.Clone(p.Notes), h.waits(len(f.have)))
	case len(lines) == 0:
		p.Count = len(f.have)
	default:
		p.Count += len(f.stay)
	}
	if !sure {
		if len(lines) == 0 {
			return nil
		}
		lines = slices.Concat(lines, f.stay)
	}
	p.Later = missing(lines, f.have)
	note, err := h.remember(lines, sure)
	if err != nil || former && !sure { // what is there is not of the slices that are there now
		note = nil
	}
	fill, failed := h.machine.SetBlock(h.block, lines)
	p.Steps = slices.Concat(p.Steps, note, fill) // in this order: until somebody has noted it, a line is not of the slices that are there now
	return errors.Join(err, failed)
}

// waits is what is to be said of lines of a slice that the VM has left, while heads do not show the one that it is in.
func (h held) waits(lines int) frame.Note {
	return frame.Note{Kind: frame.Waiting, About: "/" + h.block.File,
		Why: fmt.Sprintf("%d lines of a slice that this VM was in before are kept in doubt until heads show the one that it is in", lines)}
}
