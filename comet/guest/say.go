package guest

import (
	"context"
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

// say logs something of a module, unless it has been logged lately; the module is empty where it is of the guest itself.
func (g *Guest) say(level slog.Level, module, about, what string) {
	key := module + "\x00" + about
	if last := g.said[key]; last.what == what && time.Since(last.at) < sayAgain {
		return
	}
	if len(g.said) >= maxSaid {
		clear(g.said)
	}
	g.said[key] = saying{what, time.Now()}
	var attrs []slog.Attr
	if module != "" {
		attrs = append(attrs, slog.String("module", module))
	}
	if about != "" {
		attrs = append(attrs, slog.String("about", about))
	}
	g.Logger.LogAttrs(context.Background(), level, what, attrs...)
}

// hush notes that something is well, so that it is logged when it goes wrong again.
func (g *Guest) hush(module, about string) { delete(g.said, module+"\x00"+about) }
