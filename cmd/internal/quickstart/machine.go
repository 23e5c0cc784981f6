package quickstart

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// machine is a real VM of the story, and what answers at its metadata address.
type machine struct {
	*vms.VM
	metadata *http.Server
}

func (m *machine) close() error { return errors.Join(m.Close(), m.metadata.Close()) }

const (
	headPort = 8111
	headName = "localhost" // one of those in the heads' certificates
)

// headAt is where real VMs reach a head; nothing of the network of this machine is there.
func headAt(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 31, 254, byte(1 + i)}), headPort)
}

// cable is the interface that the VM's properties tell of. Nobody but the guest gives it its address.
func cable(link *vms.Link, p orca.Properties) (c vms.Cable, address netip.Addr, err error) {
	mac, _ := p.Get("unit.eth2.mac")
	ip, _ := p.Get("unit.eth2.ip")
	prefix, err := netip.ParsePrefix(ip)
	if err != nil {
		return c, address, err
	}
	c.Link = link
	c.MAC, err = net.ParseMAC(mac)
	return c, prefix.Addr(), err
}

// makeMachine makes the VM that runs v; it is off.
func (s *Story) makeMachine(v *vm, p orca.Properties) error {
	cable, address, err := cable(&s.VMs.link, p)
	if err != nil {
		return err
	}
	v.PublicIP = address.String()
	text, err := v.told.INI()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	forward := map[netip.AddrPort]string{vms.Metadata: listener.Addr().String()}
	for i, h := range s.heads {
		u, err := url.Parse(h.url)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		forward[headAt(i)] = u.Host
	}
	vm, err := vms.New(filepath.Join(v.dir, "vm"), vms.Config{Name: "new-" + v.HostName, Image: s.VMs.image, Forward: forward, Cables: []vms.Cable{cable}})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	v.machine = &machine{vm, &http.Server{
		Handler:           vms.Told{UserData: string(text), PublicIP: v.PublicIP},
		ReadHeaderTimeout: time.Minute,
	}}
	go v.machine.metadata.Serve(listener) // until it is closed
	return nil
}

const (
	bootTime = 10 * time.Minute // where VMs share a processor with much else
	workTime = 5 * time.Minute
)

// boot starts all VMs at once.
func (s *Story) boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	started := make(chan error)
	for _, v := range s.vms {
		go func() { started <- v.machine.Start(ctx) }()
	}
	s.VMs.Progress("VMs that have booted", 0, len(s.vms))
	var err error
	for i := range s.vms {
		err = errors.Join(err, <-started)
		s.VMs.Progress("VMs that have booted", 1+i, len(s.vms))
	}
	if err != nil {
		return err
	}
	s.tell("%d VMs have booted, and know nothing but the metadata address", len(s.vms))
	return nil
}

// run runs a script in the VM.
func (v *vm) run(ctx context.Context, script string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	out, err := v.machine.Run(ctx, script)
	if err != nil {
		return out, fmt.Errorf("%s: %w", v.HostName, err)
	}
	return out, nil
}

// until waits in the VM until a condition of the shell holds.
func (v *vm) until(ctx context.Context, condition string) error {
	_, err := v.run(ctx, "until "+condition+"; do sleep 0.5; done")
	return err
}
