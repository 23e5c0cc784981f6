package guest

import (
	"log/slog"
	"time"
)

// sayAgain is after how long something is logged again that has not changed.
const sayAgain = time.Hour

// maxSaid bounds what is remembered of what was logged; peers could make up ever new things.
const maxSaid = 10000

type saying struct {
	what string
	at   time.Time
}

// say logs what is wrong with something, unless it has been logged lately.
func (g *Guest) say(about, what string) {
	if last := g.said[about]; last.what == what && time.Since(last.at) < sayAgain {
		return
	}
	if len(g.said) >= maxSaid {
		clear(g.said)
	}
	g.said[about] = saying{what, time.Now()}
	g.Logger.Warn(what, slog.String("about", about))
}

// hush notes that something is well, so that it is logged when it goes wrong again.
func (g *Guest) hush(about string) { delete(g.said, about) }
