package block

import (
	"bytes"
	"iter"
)

type kind int

const (
	text  kind = iota // a line, or what is left of one after the markers on it are cut out
	begin             // the BEGIN marker with the blanks around it, and its newline
	end               // the END marker, likewise
)

type piece struct {
	kind kind
	data []byte
}

// cut splits a file into text and markers. Nothing but blanks and line ends around the markers is lost.
func (m Markers) cut(file []byte) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		for line := range bytes.Lines(file) {
			for len(line) > 0 {
				var p piece
				if p, line = m.next(line); !yield(p) {
					return
				}
			}
		}
	}
}

// next cuts the first piece off a line.
func (m Markers) next(line []byte) (first piece, rest []byte) {
	found, at, length := m.find(line)
	before := line[:max(at, 0)]
	switch {
	case at < 0, isComment(before):
		return piece{text, line}, nil
	case !isBlank(before):
		return piece{text, before}, line[at:]
	}
	rest = line[at+length:]
	if isBlank(rest) {
		rest = nil
	}
	return piece{kind: found}, rest
}

// find returns where the first marker on a line begins, or -1.
func (m Markers) find(line []byte) (found kind, at, length int) {
	b, e := bytes.Index(line, []byte(m.Begin)), bytes.Index(line, []byte(m.End))
	if b >= 0 && (e < 0 || b < e) {
		return begin, b, len(m.Begin)
	}
	return end, e, len(m.End)
}

func isBlank(b []byte) bool { return len(bytes.Trim(b, " \t\r\n")) == 0 }

func isComment(b []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(b, " \t"), []byte("#")) }
