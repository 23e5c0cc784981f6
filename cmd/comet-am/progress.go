package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress shows how many VMs are done: a bar on a terminal, elsewhere a line now and then.
type progress struct {
	out      io.Writer
	name     string
	terminal bool
	shown    time.Time
}

const (
	drawEvery = 100 * time.Millisecond
	lineEvery = 2 * time.Second
	barWidth  = 30
)

func newProgress(out io.Writer, name string) *progress {
	p := &progress{out: out, name: name, shown: time.Now()} // what is done at once shows nothing
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return p
}

// step is called with what is done so far.
func (p *progress) step(done, total int) {
	every := lineEvery
	if p.terminal {
		every = drawEvery
	}
	if time.Since(p.shown) < every {
		return
	}
	p.shown = time.Now()
	if !p.terminal {
		fmt.Fprintf(p.out, "%s: %d of %d VMs\n", p.name, done, total)
		return
	}
	full := barWidth * done / total
	fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %d of %d VMs", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, total)
}

// end takes the bar away.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
