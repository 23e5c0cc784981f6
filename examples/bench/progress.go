package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far all is: a bar on a terminal, elsewhere a line per round.
type progress struct {
	to    io.Writer
	bar   *progressbar.ProgressBar // of seconds, nil where there is no terminal
	runs  int                      // rounds of all suites
	begun int
	done  int // seconds that the rounds should have taken that are over
}

func newProgress(to io.Writer, plan []suite) *progress {
	p := &progress{to: to}
	seconds := 0
	for _, s := range plan {
		p.runs += s.rounds
		seconds += s.rounds * s.seconds()
	}
	if isTerminal(to) {
		p.bar = progressbar.NewOptions(seconds, progressbar.OptionSetWriter(to), progressbar.OptionSetWidth(30),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true))
	}
	return p
}

func (s suite) seconds() int { return max(1, int(s.takes.Seconds())) }

func (p *progress) left() bool { return p.begun < p.runs }

// start says which round begins; the function that it returns, that it has ended. In between the bar moves by the clock.
func (p *progress) start(s suite, round int) (finish func()) {
	p.begun++
	if p.bar == nil {
		fmt.Fprintf(p.to, "bench: %d of %d: %s, round %d of %d\n", p.begun, p.runs, s.name, round+1, s.rounds)
		return func() {}
	}
	p.bar.Describe(fmt.Sprintf("%-10s", s.name))
	before := p.done
	p.done += s.seconds()
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		ticks := time.NewTicker(time.Second)
		defer ticks.Stop()
		for i := before; ; i = min(i+1, p.done-1) {
			p.bar.Set(i) // fails only where it is more than all
			select {
			case <-stop:
				return
			case <-ticks.C:
			}
		}
	})
	return func() {
		close(stop)
		ticking.Wait()
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

// isTerminal tells whether somebody may be looking.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
