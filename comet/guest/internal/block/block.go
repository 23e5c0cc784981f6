package block

import (
	"bytes"
	"fmt"
)

// Options say how a block is recognised and written. The zero value is right for all blocks but "loopback", as long as none is
// damaged.
type Options struct {
	// Own reports whether a line, given without its line end, could only be one of ours. It decides where a block ends that has
	// lost its END line; see the package comment. Nil: no line is.
	Own func(line string) bool

	// Spaced blocks have a blank line above and one below, which come and go with the block.
	Spaced bool
}

// State says in what condition Get found a block.
type State int

const (
	Absent  State = iota // no BEGIN line and no END line
	Whole                // one block, as Set writes it
	Damaged              // anything else; Set repairs it
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Absent:
		return "absent"
	case Whole:
		return "whole"
	default:
		return "damaged"
	}
}

// Set returns the file with the block holding lines, given without line ends and written in the order given. A block that is
// there keeps its place, a new one goes to the end of the file, and with no lines the block and its markers go. Damage is
// repaired on the way.
//
// Set refuses a line that holds a line break, a NUL or one of the two markers; the error says which line by number and does not
// quote it. The file itself is not changed, and the result shares no memory with it.
func Set(file []byte, m Markers, lines []string, opts Options) ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	for i, line := range lines {
		if err := m.checkLine(line); err != nil {
			return nil, fmt.Errorf("line %d for the block %q: %w", i+1, m.Begin, err)
		}
	}
	l := read(file, m, opts)
	l.lines = lines
	return l.write(m, opts, len(lines) > 0), nil
}

// Get returns the lines of the block, without line ends, and its condition. Of a damaged block it returns what Set would take for
// ours, all blocks after each other where there are several; glued lines come as they stand. Markers that Set would refuse are
// nowhere: Absent.
func Get(file []byte, m Markers, opts Options) ([]string, State) {
	if m.check() != nil {
		return nil, Absent
	}
	l := read(file, m, opts)
	switch {
	case bytes.Equal(l.write(m, opts, l.found), file):
		if l.found {
			return l.lines, Whole
		}
		return nil, Absent
	default:
		return l.lines, Damaged
	}
}
