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
// certificate that nobody trusts or that ends in a moment.
func HeadParts(heads *comettest.Heads) []Part {
	parts := make([]Part, strings.Count(heads.List(), ",")+1)
	for i := range parts {
		parts[i] = Part{fmt.Sprint("head ", i), headFaults(heads, i)}
	}
	return parts
}

func headFaults(heads *comettest.Heads, i int) []Fault {
	set := func(name string, faults ...comettest.Fault) Fault {
		return Fault{name, func() { heads.Set(i, faults...) }, func() { heads.Set(i) }}
	}
	show := func(name string, certificate func() tls.Certificate) Fault {
		return Fault{name, func() { heads.Present(i, certificate()) }, func() { heads.Present(i, ofHead(heads, time.Hour)) }}
	}
	again := func() { heads.Stop(i); heads.Restart(i) } // or who watches would wait for a minute on what is dead
	return []Fault{
		{"stops", func() { heads.Stop(i) }, func() { heads.Restart(i) }},
		{"goes silent", func() { heads.Mute(i) }, again},
		{"forgets its connections", func() { heads.Freeze(i) }, again},
		set("hangs", comettest.Hang()),
		set("hangs after the deed", comettest.HangAfter()),
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
		show("shows a certificate that ends in a moment", func() tls.Certificate { return ofHead(heads, time.Second) }),
		show("shows a new certificate", func() tls.Certificate { return ofHead(heads, time.Hour) }),
	}
}

// ofHead issues a head's certificate that is valid for this long.
func ofHead(heads *comettest.Heads, d time.Duration) tls.Certificate {
	return issue(heads, tlsconfig.Template{CommonName: "faulttest head", Hosts: []string{"localhost", "127.0.0.1", "::1"}, Server: true}, d)
}

func issue(heads *comettest.Heads, t tlsconfig.Template, d time.Duration) tls.Certificate {
	now := time.Now()
	t.NotBefore, t.NotAfter = now.Add(-time.Hour), now.Add(d)
	certificate, err := heads.Authority().Issue(t)
	if err != nil {
		panic(err) // nothing about it is drawn
	}
	return certificate
}

// MembersPart is a cluster of which one member at a time dies or freezes, and now and then most of them freeze.
func MembersPart(cluster *etcdtest.Cluster) Part {
	p := Part{Name: "etcd"}
	for i, m := range cluster.Members {
		p.Faults = append(p.Faults,
			Fault{fmt.Sprintf("member %d dies", i), m.Kill, func() { m.Start(); m.WaitWell() }},
			Fault{fmt.Sprintf("member %d freezes", i), m.Freeze, m.Thaw},
		)
	}
	most := cluster.Members[:len(cluster.Members)/2+1]
	p.Faults = append(p.Faults, Fault{"most members freeze",
		func() { each(most, (*etcdtest.Member).Freeze) }, func() { each(most, (*etcdtest.Member).Thaw) }})
	return p
}

func each[T any](list []T, do func(T)) {
	for _, one := range list {
		do(one)
	}
}
