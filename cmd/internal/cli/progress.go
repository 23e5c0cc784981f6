package cli

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
)

// Progress shows how much of something long is done: a bar on a terminal, and elsewhere, where things are counted, a line now and then.
// What is done at once shows nothing. One goroutine at a time may use it.
type Progress struct {
	c     *cli.Context
	what  string
	bar   *progressbar.ProgressBar // nil where there is no terminal
	done  int64                    // bytes
	began time.Time
	shown time.Time
}

const (
	drawEvery = 100 * time.Millisecond
	lineEvery = 2 * time.Second
	barWidth  = 30
)

// NewProgress is for things that are counted, with Step.
func NewProgress(c *cli.Context, what string) *Progress {
	return newProgress(c, what, 1, progressbar.OptionShowCount())
}

// NewProgressOfBytes is for bytes that are counted, with Add and Write; total is -1 where it is not known.
func NewProgressOfBytes(c *cli.Context, what string, total int64) *Progress {
	return newProgress(c, what, total, progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true))
}

func newProgress(c *cli.Context, what string, total int64, options ...progressbar.Option) *Progress {
	p := &Progress{c: c, what: what, began: time.Now(), shown: time.Now()}
	if isTerminal(c.App.ErrWriter) {
		p.bar = progressbar.NewOptions64(total, append(options,
			progressbar.OptionSetWriter(c.App.ErrWriter), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(barWidth),
			progressbar.OptionThrottle(drawEvery), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false))...)
	}
	return p
}

// Step shows how many are done so far.
func (p *Progress) Step(done, total int) {
	switch {
	case p.early():
	case p.bar != nil:
		p.bar.ChangeMax(total)
		p.bar.Set(done) // fails only where it is more than all
	case time.Since(p.shown) >= lineEvery:
		p.shown = time.Now()
		fmt.Fprintf(p.c.App.ErrWriter, "%s: %s: %d of %d\n", p.c.App.Name, p.what, done, total)
	}
}

// Add counts n more bytes.
func (p *Progress) Add(n int) {
	p.done += int64(n)
	if p.bar != nil && !p.early() {
		p.bar.Set64(p.done)
	}
}

func (p *Progress) early() bool { return time.Since(p.began) < drawEvery }

// Write counts what would be written.
func (p *Progress) Write(b []byte) (int, error) {
	p.Add(len(b))
	return len(b), nil
}

// Done returns how many bytes were counted.
func (p *Progress) Done() int64 { return p.done }

// End takes the bar away.
func (p *Progress) End() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
