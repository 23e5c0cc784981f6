package guest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
)

// keepEvery is how often what is known is kept on disk at most: in a large slice it changes often while VMs come up.
const keepEvery = 10 * time.Second

// keptFolder is where that lies, in the state folder of the instance.
const keptFolder = "known"

// keptName is the state file of a context.
func keptName(c *known.Context) string {
	self := c.Self()
	sum := sha256.Sum256([]byte(self.SliceID.String() + "\x00" + self.ReservationID.String()))
	return fmt.Sprintf("%s/%x.json", keptFolder, sum[:8])
}

// recall takes up what an earlier guest knew of a context. What cannot be read is as good as nothing, and is said.
func (g *Guest) recall(c *known.Context) {
	data, err := g.machine.Read(g.machine.State(keptName(c)), true)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = c.Restore(data)
	}
	if info, failed := g.machine.Root().Stat(g.machine.State(keptName(c))); err == nil && failed == nil {
		g.before = info.ModTime()
	}
	if err != nil {
		g.Logger.Warn("what was known before is lost", slog.String("file", "/"+g.machine.State(keptName(c))), slog.Any("because", err))
	}
}

// remember keeps what is known, not too often unless it is the last time. Where it cannot, on a full disk for instance, that is said, and
// it is tried again; the VM is kept as it should be all the same.
func (g *Guest) remember(last bool) {
	if !last && time.Since(g.kept) < keepEvery {
		return
	}
	var errs []error
	if !g.forgot {
		errs = append(errs, g.forget())
		g.forgot = errs[0] == nil
	}
	for _, c := range g.contexts {
		errs = append(errs, c.Keep(func(data []byte) error {
			g.kept = time.Now()
			return g.machine.SaveBytes(keptName(c), data)
		}))
	}
	errs = append(errs, g.addresses.keep(g.machine))
	if err := errors.Join(errs...); err != nil {
		g.say(slog.LevelWarn, "", "state", "what is known is not kept: "+frame.OneLine(err.Error()))
	} else {
		g.hush("", "state")
	}
}

// forget removes what is kept of contexts that the VM is no longer in, with the secrets in it.
func (g *Guest) forget() error {
	in := map[string]bool{}
	for _, c := range g.contexts {
		in[g.machine.State(keptName(c))] = true
	}
	folder := g.machine.State(keptFolder)
	entries, err := fs.ReadDir(g.machine.Root().FS(), folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, e := range entries {
		if name := path.Join(folder, e.Name()); !in[name] && !strings.HasPrefix(e.Name(), ".") { // which are being written
			errs = append(errs, g.machine.Root().Remove(name))
		}
	}
	return errors.Join(errs...)
}
