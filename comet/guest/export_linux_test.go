package guest

import "github.com/renci-nrig/comet-go/comet/guest/internal/network"

// Heads are what changes of the network are judged by.
func (g *Guest) Heads() network.Heads { return g.heads() }
