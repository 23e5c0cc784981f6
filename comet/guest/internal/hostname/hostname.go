// Package hostname has the module that gives the machine its name: now, after a reboot, and as something that answers.
package hostname

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// DefaultLoopback is the address that the machine's own name has in /etc/hosts, as neuca-guest-tools have it.
var DefaultLoopback = netip.MustParseAddr("127.255.255.1")

// LoopbackBlock is where that line stands.
var LoopbackBlock = frame.Block{File: "etc/hosts", Name: "loopback", Mode: 0o644, Spaced: true}

// maxLen is how long a name Linux takes.
const maxLen = 64

// HostName is the module.
type HostName struct {
	Machine  *frame.Machine
	Wanted   string     // the name; node groups have a / in it, which becomes -
	Loopback netip.Addr // what the name answers with on the machine itself; the zero address: no line is kept

	line frame.Settled
}

// Name is "hostname".
func (*HostName) Name() string { return "hostname" }

// Plan sets the name that the kernel knows, /etc/hostname, which it gets at the next start, and the loopback line.
func (h *HostName) Plan(context.Context) (p frame.Plan, err error) {
	name := scope.CanonicalHostName(h.Wanted)
	if name == "" {
		return p, frame.ErrUnknown
	}
	if err := scope.ValidHostName(name); err != nil {
		return p, errors.New("host_name " + err.Error())
	}
	if len(name) > maxLen {
		return p, errors.New("host_name is longer than the 64 bytes that Linux takes")
	}
	for _, plan := range []func(string) ([]frame.Step, error){h.file, h.loopback, h.cloudInit, h.kernel} {
		steps, err := plan(name)
		if errors.Is(err, frame.ErrNeedsRoot) {
			p.Notes = append(p.Notes, frame.Note{Kind: frame.NotHere, About: "the kernel's host name", Why: err.Error()})
		} else if err != nil {
			return p, err
		}
		p.Steps = append(p.Steps, steps...)
	}
	p.Count = 1
	return p, nil
}

func (h *HostName) file(name string) ([]frame.Step, error) {
	const file = "etc/hostname"
	now, err := h.Machine.Read(file, false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if strings.TrimSpace(string(now)) == name {
		return nil, nil
	}
	return h.Machine.Put(frame.File{Name: file, Content: []byte(name + "\n"), Mode: 0o644})
}

func (h *HostName) loopback(name string) ([]frame.Step, error) {
	var lines []string
	if h.Loopback.IsValid() {
		lines = []string{h.Loopback.String() + "\t" + name}
	}
	p, err := h.line.Get(h.Machine, 0, []string{LoopbackBlock.File}, func() (p frame.Plan, err error) {
		p.Steps, err = h.Machine.SetBlock(LoopbackBlock, lines)
		return p, err
	})
	return p.Steps, err
}

// CloudInitFile is what tells cloud-init to leave the name alone.
const CloudInitFile = "etc/cloud/cloud.cfg.d/95-comet-guest.cfg"

// cloudInit tells it where it is there: it would set its own name at each start.
func (h *HostName) cloudInit(string) ([]frame.Step, error) {
	info, err := h.Machine.Root().Stat(path.Dir(CloudInitFile))
	if err != nil || !info.IsDir() {
		return nil, nil
	}
	return h.Machine.Put(frame.File{Name: CloudInitFile, Content: []byte("preserve_hostname: true\n"), Mode: 0o644})
}

func (h *HostName) kernel(name string) ([]frame.Step, error) {
	if err := h.Machine.Needs(); err != nil {
		return nil, err
	}
	now, err := os.Hostname()
	if err != nil || now == name {
		return nil, err
	}
	return []frame.Step{{Text: "set the host name " + name, Do: func(context.Context) error { return setName(name) }}}, nil
}
