package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

const (
	drawEvery = 100 * time.Millisecond
	barWidth  = 30
)

// Progress returns a function that shows on a terminal how much of something long is done, and one that takes the line away. Elsewhere,
// and for what is done at once, nothing is shown.
func Progress(c *cli.Context, what string) (step func(done, total int), end func()) {
	terminal := c.App.ErrWriter
	if !isTerminal(terminal) {
		return func(int, int) {}, func() {}
	}
	drawn := time.Now()
	step = func(done, total int) {
		if time.Since(drawn) < drawEvery {
			return
		}
		drawn = time.Now()
		full := barWidth * done / max(total, 1)
		fmt.Fprintf(terminal, "\r\x1b[K%s: [%s%s] %d of %d", what, strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), done, total)
	}
	return step, func() { fmt.Fprint(terminal, "\r\x1b[K") }
}
