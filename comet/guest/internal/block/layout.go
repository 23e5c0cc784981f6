package block

import "bytes"

// layout is a file taken apart: the block's lines, and what is foreign before and after the place of the block.
type layout struct {
	before, after []byte
	lines         []string
	found         bool // there is a BEGIN; without one all that is foreign stands in before
}

// reader takes a file apart, piece by piece.
type reader struct {
	layout
	opts  Options
	open  bool     // a BEGIN waits for its END
	body  [][]byte // what has come since that BEGIN
	ended bool     // the piece before was the END of a block
}

func read(file []byte, m Markers, opts Options) layout {
	r := reader{opts: opts}
	for p := range m.cut(file) {
		ends := p.kind == end && r.open
		switch {
		case p.kind == begin:
			r.breakOff()
			r.unspace()
			r.open, r.found = true, true
		case ends:
			r.take(len(r.body))
		case p.kind == text && r.open:
			r.body = append(r.body, p.data)
		case p.kind == text && !(opts.Spaced && r.ended && string(p.data) == "\n"):
			r.keep(p.data)
		}
		r.ended = ends
	}
	r.breakOff()
	return r.layout
}

// breakOff ends a block that has no END, after the last line that is certainly ours.
func (r *reader) breakOff() {
	n := 0
	for n < len(r.body) && r.opts.Own != nil && r.opts.Own(bare(r.body[n])) {
		n++
	}
	r.take(n)
}

// take makes the first n lines since BEGIN ours, the others foreign, and closes the block.
func (r *reader) take(n int) {
	for _, line := range r.body[:n] {
		r.lines = append(r.lines, bare(line))
	}
	for _, line := range r.body[n:] {
		r.keep(line)
	}
	r.open, r.body = false, nil
}

// keep adds foreign text on the side of the block where it stands.
func (r *reader) keep(data []byte) {
	side := r.side()
	*side = append(endLine(*side), data...)
}

// unspace drops the blank line above a BEGIN.
func (r *reader) unspace() {
	side := r.side()
	if r.opts.Spaced && (string(*side) == "\n" || bytes.HasSuffix(*side, []byte("\n\n"))) {
		*side = (*side)[:len(*side)-1]
	}
}

func (r *reader) side() *[]byte {
	if r.found {
		return &r.after
	}
	return &r.before
}

// write puts the file together again, with the block between the foreign sides where there is to be one.
func (l layout) write(m Markers, opts Options, present bool) []byte {
	out := append(make([]byte, 0, len(l.before)+len(l.after)+1), l.before...)
	if present {
		out = l.writeBlock(endLine(out), m, opts)
	}
	if len(l.after) > 0 {
		out = append(endLine(out), l.after...)
	}
	return out
}

func (l layout) writeBlock(out []byte, m Markers, opts Options) []byte {
	space := ""
	if opts.Spaced {
		space = "\n"
	}
	out = append(out, space+m.Begin+"\n"...)
	for _, line := range l.lines {
		out = append(append(out, line...), '\n')
	}
	return append(out, m.End+"\n"+space...)
}

// endLine ends the last line of b where it has not ended.
func endLine(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != '\n' {
		b = append(b, '\n')
	}
	return b
}

// bare returns a line without its line end.
func bare(line []byte) string {
	return string(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")))
}
