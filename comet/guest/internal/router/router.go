// Package router is the guest's module for a VM that forwards packets, or does not: net.ipv4.ip_forward of the running kernel.
package router

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Module keeps forwarding as it is wanted. It is a frame.Module.
type Module struct {
	machine *frame.Machine
	wanted  func() string
}

// New returns the module. wanted is the member router of the user data, as far as it is known now: true or false, in any case;
// forwarding is left alone where it is user or empty.
func New(m *frame.Machine, wanted func() string) *Module { return &Module{machine: m, wanted: wanted} }

// Name is router.
func (m *Module) Name() string { return "router" }

// forwarding is that of IPv4, of the network namespace of whoever opens it.
const forwarding = "/proc/sys/net/ipv4/ip_forward"

// Plan compares what is wanted with the kernel's setting.
func (m *Module) Plan(context.Context) (frame.Plan, error) {
	if err := m.machine.Needs(); err != nil {
		return frame.Plan{}, err
	}
	value := m.wanted()
	want := map[string]string{"true": "1", "false": "0", "user": "", "": ""}
	set, known := want[strings.ToLower(strings.TrimSpace(value))]
	switch {
	case !known:
		return frame.Plan{Notes: []frame.Note{{Kind: frame.LeftOut, About: "router", Why: "is none of true, false, user"}}}, nil
	case set == "":
		return frame.Plan{}, nil
	}
	now, err := os.ReadFile(forwarding)
	if err != nil {
		return frame.Plan{}, fmt.Errorf("forwarding: %w", err)
	}
	plan := frame.Plan{Count: 1}
	if strings.TrimSpace(string(now)) != set {
		plan.Steps = []frame.Step{{Text: "set net.ipv4.ip_forward to " + set, Do: func(context.Context) error {
			return os.WriteFile(forwarding, []byte(set), 0)
		}}}
	}
	return plan, nil
}
