//go:build !linux

package guest

import (
	"context"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// VMs run Linux. Elsewhere people try a guest below a folder, where nothing acts on the machine itself.

type absent string

func (a absent) Name() string                           { return string(a) }
func (absent) Plan(context.Context) (frame.Plan, error) { return frame.Plan{}, frame.ErrNeedsRoot }

func (g *Guest) machineModules() (all []frame.Module) {
	for _, name := range []string{"metadata-guard", "interfaces", "router", "routes", "users", "storage", "scripts"} {
		all = append(all, absent(name))
	}
	return all
}

func (g *Guest) watchLinks(context.Context) {}

func machineSteps(*frame.Machine) ([]frame.Step, error) { return nil, nil }
