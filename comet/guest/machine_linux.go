package guest

import (
	"context"
	"errors"
	"log/slog"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/interfaces"
	"github.com/renci-nrig/comet-go/comet/guest/internal/metadataguard"
	"github.com/renci-nrig/comet-go/comet/guest/internal/router"
	"github.com/renci-nrig/comet-go/comet/guest/internal/routes"
	"github.com/renci-nrig/comet-go/comet/guest/internal/scripts"
	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
	"github.com/renci-nrig/comet-go/comet/guest/internal/users"
)

// machineModules are those that act on the machine itself.
func (g *Guest) machineModules() []frame.Module {
	heads := g.heads()
	links := interfaces.New(g.machine, g.sources.interfaces, g.IgnoreMACs, heads)
	g.watch = links.Watch
	run := scripts.New(g.machine, g.sources.scripts, g.Scripts)
	run.After(g.withoutUsers)
	return []frame.Module{
		metadataguard.New(g.machine),
		links,
		router.New(g.machine, func() string { return g.self.Router }),
		routes.New(g.machine, g.sources.routes, heads),
		users.New(g.machine, g.accounts()),
		storage.New(g.machine, g.sources.storage, storage.Settings{Initiator: g.self.InitiatorIQN, OldState: g.Scripts.OldState}),
		run,
	}
}

// watchLinks wakes the guest when a network interface comes or changes, where it looks after them.
func (g *Guest) watchLinks(ctx context.Context) {
	if g.machine.Needs() != nil || g.modes["interfaces"] == Off {
		return
	}
	if err := g.watch(ctx); err != nil && ctx.Err() == nil {
		g.Logger.Warn("network interfaces that come late are seen at the next look", slog.String("because", frame.OneLine(err.Error())))
	}
}

// machineSteps take away what attaches disks at boot, and what keeps others from network interfaces.
func machineSteps(m *frame.Machine) ([]frame.Step, error) {
	disks, err := storage.Cleaning(m)
	links, failed := interfaces.Cleaning(m)
	return append(disks, links...), errors.Join(err, failed)
}
