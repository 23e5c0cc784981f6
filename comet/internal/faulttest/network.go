package faulttest

import "github.com/renci-nrig/comet-go/comet/internal/loopback"

// NetworkFaults are those of the network behind a proxy. Where late is true what was held may arrive late, long after its sender has given
// up.
func NetworkFaults(p *loopback.Proxy, late bool) []Fault {
	mend := p.Drop
	if late {
		mend = p.Mend
	}
	return []Fault{
		{Name: "breaks connections", Strike: p.Break, Mend: p.Mend},
		{Name: "lets nothing pass", Strike: p.Hold, Mend: mend, Lasts: Variable},
	}
}
