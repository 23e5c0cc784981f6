package faulttest

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server/etcdtest"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// HeadParts are heads with all that can befall one: it ends, does not answer or only says a part, breaks connections, shows a
// certificate that nobody trusts, that is not valid yet, or that ends while connections made under it live.
func HeadParts(heads *comettest.Heads) []Part {
	parts := make([]Part, strings.Count(heads.List(), ",")+1)
	for i := range parts {
		parts[i] = Part{fmt.Sprint("head ", i), headFaults(heads, i)}
	}
	return parts
}

func headFaults(heads *comettest.Heads, i int) []Fault {
	set := func(name string, faults ...comettest.Fault) Fault {
		return Fault{Name: name, Strike: func() { heads.Set(i, faults...) }, Mend: func() { heads.Set(i) }}
	}
	show := func(name string, certificate func() tls.Certificate) Fault {
		return Fault{Name: name, Strike: func() { heads.Present(i, certificate()) }, Mend: func() { heads.Present(i, ofHead(heads, hour)) }}
	}
	again := func() { heads.Stop(i); heads.Restart(i) } // or who watches would wait for a minute on what is dead
	return []Fault{
		{Name: "stops", Strike: func() { heads.Stop(i) }, Mend: func() { heads.Restart(i) }},
		{Name: "goes silent", Strike: func() { heads.Mute(i) }, Mend: again, Lasts: Variable},
		{Name: "forgets its connections", Strike: func() { heads.Freeze(i) }, Mend: again, Lasts: Variable},
		set("hangs", comettest.Hang()).lasting(Variable),
		set("hangs after the deed", comettest.HangAfter()).lasting(Variable),
		set("hangs now and then", comettest.Hang().Times(1), comettest.HangAfter().Times(1)),
		set("is unavailable", comettest.Status(503)),
		set("fails after the deed", comettest.StatusAfter(500).Times(3)),
		set("breaks off before it answers", comettest.Cut(-1).Times(3)),
		set("breaks off in its answer", comettest.Cut(20).Times(3)),
		set("resets connections", comettest.Reset().Times(5)),
		set("talks nonsense", comettest.Garble().Times(3)),
		set("is slow", comettest.Slow(time.Millisecond)),
		set("is late", comettest.Delay(60*time.Millisecond)),
		set("is a web page", comettest.Page(502)),
		set("refuses certificates for a moment", comettest.BadCertificate().On("writeScope", "deleteScope").Times(1)),
		show("shows an expired certificate", heads.Expired),
		show("shows a foreign certificate", heads.Foreign),
		show("shows a certificate that is not valid yet", func() tls.Certificate { return ofHead(heads, tomorrow) }),
		show("shows a certificate that ends while connections live", func() tls.Certificate { return ofHead(heads, soon) }).lasting(Long),
		show("shows a new certificate", func() tls.Certificate { return ofHead(heads, hour) }),
	}
}

// period is when a certificate is valid, from now. Certificates count whole seconds.
type period struct{ from, to time.Duration }

var (
	hour      = period{-time.Hour, time.Hour}
	soon      = period{-time.Hour, time.Second} // is over before a fault that lasts Long is
	yesterday = period{-time.Hour, -time.Minute}
	tomorrow  = period{time.Hour, 2 * time.Hour}
)

// ofHead issues a head's certificate.
func ofHead(heads *comettest.Heads, valid period) tls.Certificate {
	return issue(heads, tlsconfig.Template{CommonName: "faulttest head", Hosts: []string{"localhost", "127.0.0.1", "::1"}, Server: true}, valid)
}

func issue(heads *comettest.Heads, t tlsconfig.Template, valid period) tls.Certificate {
	now := time.Now()
	t.NotBefore, t.NotAfter = now.Add(valid.from), now.Add(valid.to)
	certificate, err := heads.Authority().Issue(t)
	if err != nil {
		panic(err) // nothing about it is drawn
	}
	return certificate
}

// MembersPart is a cluster of StartApart: one member at a time dies, freezes, or is cut off from the others; now and then most of them
// freeze, or there is no space for changes.
func MembersPart(cluster *etcdtest.Cluster) Part {
	p := Part{Name: "etcd"}
	for i, m := range cluster.Members {
		p.Faults = append(p.Faults,
			Fault{Name: fmt.Sprintf("member %d dies", i), Strike: m.Kill, Mend: func() { m.Start(); m.WaitWell() }},
			Fault{Name: fmt.Sprintf("member %d freezes", i), Strike: m.Freeze, Mend: m.Thaw, Lasts: Variable},
			Fault{Name: fmt.Sprintf("member %d is cut off", i), Strike: func() { cluster.CutOff(i) }, Mend: cluster.Join, Lasts: Variable},
		)
	}
	most := cluster.Members[:len(cluster.Members)/2+1]
	p.Faults = append(p.Faults,
		Fault{
			Name:   "most members freeze",
			Strike: func() { each(most, (*etcdtest.Member).Freeze) }, Mend: func() { each(most, (*etcdtest.Member).Thaw) },
			Lasts: Variable,
		},
		Fault{Name: "has no space", Strike: cluster.TakeSpace, Mend: cluster.GiveSpace},
	)
	return p
}

func each[T any](list []T, do func(T)) {
	for _, one := range list {
		do(one)
	}
}
