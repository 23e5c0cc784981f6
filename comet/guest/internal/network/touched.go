package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Change is a step that alters the network.
type Change struct {
	frame.Step
	Asked   string // the element that asks for it, as it is wanted: what was taken back is known again by that
	Touched Touched
}

// Touched is what changes may alter: links, with the addresses that they set on them, and the routes to some networks.
type Touched struct {
	Asked    []string // by which elements
	Links    []int    // indexes
	Set      []Placed
	Networks []netip.Prefix
	Protocol netlink.RouteProtocol // of the routes that the changes make
}

// merge returns the steps of changes, and all that they touch.
func merge(changes []Change) (steps []frame.Step, all Touched) {
	for _, c := range changes {
		steps = append(steps, c.Step)
		all.Asked = append(all.Asked, c.Asked)
		all.Links = append(all.Links, c.Touched.Links...)
		all.Set = append(all.Set, c.Touched.Set...)
		all.Networks = append(all.Networks, c.Touched.Networks...)
		all.Protocol = cmp.Or(all.Protocol, c.Touched.Protocol)
	}
	all.Asked, all.Links = slices.Compact(all.Asked), slices.Compact(all.Links)
	return steps, all
}

// Placed is an address on a link.
type Placed struct {
	Link    int
	Address netip.Prefix
}
