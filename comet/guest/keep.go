package guest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
)

// keepEvery is how often what is known is kept on disk at most: in a large slice it changes often while VMs come up.
const keepEvery = 10 * time.Second

// keptName is the state file of a context.
func keptName(c *known.Context) string {
	self := c.Self()
	sum := sha256.Sum256([]byte(self.SliceID.String() + "\x00" + self.ReservationID.String()))
	return fmt.Sprintf("known/%x.json", sum[:8])
}

// recall takes up what an earlier guest knew of a context. What cannot be read is as good as nothing, and is said.
func (g *Guest) recall(c *known.Context) error {
	data, err := g.machine.Read(g.machine.State(keptName(c)), true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = c.Restore(data)
	}
	if err != nil {
		g.Logger.Warn("what was known before is lost", slog.String("file", "/"+g.machine.State(keptName(c))), slog.Any("because", err))
	}
	return nil
}

// remember keeps what is known, not too often unless it is the last time.
func (g *Guest) remember(last bool) error {
	if !last && time.Since(g.kept) < keepEvery {
		return nil
	}
	var errs []error
	for _, c := range g.contexts {
		data, news, err := c.Keep()
		if news && err == nil {
			err = g.machine.SaveBytes(keptName(c), data)
			g.kept = time.Now()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("keep what is known: %w", err))
		}
	}
	return errors.Join(errs...)
}
