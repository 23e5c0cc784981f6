package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"
)

// progress shows on a terminal how far something long has come; elsewhere it shows nothing.
type progress struct {
	terminal io.Writer // nil: none
	what     string
	done     int64 // bytes
	total    int64 // 0: not known
	drawn    time.Time
}

const (
	drawEvery = 100 * time.Millisecond
	barWidth  = 30
)

func newProgress(c *urfave.Context, what string, total int64) *progress {
	p := &progress{what: what, total: total, drawn: time.Now()} // what is done at once shows nothing
	if f, ok := c.App.ErrWriter.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.terminal = f
		}
	}
	return p
}

// add counts n more bytes.
func (p *progress) add(n int) {
	p.done += int64(n)
	if p.terminal != nil && time.Since(p.drawn) >= drawEvery {
		p.drawn = time.Now()
		fmt.Fprintf(p.terminal, "\r\x1b[K%s", p.line())
	}
}

// Write counts what would be written.
func (p *progress) Write(b []byte) (int, error) {
	p.add(len(b))
	return len(b), nil
}

func (p *progress) line() string {
	if p.total <= 0 {
		return fmt.Sprintf("%s: %s", p.what, size(p.done))
	}
	part := min(float64(p.done)/float64(p.total), 1)
	full := int(part * barWidth)
	return fmt.Sprintf("%s: [%s%s] %3.0f%% of %s", p.what, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), 100*part, size(p.total))
}

// end takes the line away.
func (p *progress) end() {
	if p.terminal != nil {
		fmt.Fprint(p.terminal, "\r\x1b[K")
	}
}

// size is a number of bytes for people.
func size(bytes int64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/(1<<10), 0
	for ; value >= 1<<10 && unit < 3; unit++ {
		value /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[unit])
}
