package storage

import (
	"context"
	"fmt"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// transport has the kernel's part of iSCSI loaded. iscsiadm would do that itself, and fail below a guest that must not load modules: where
// systemd runs the machine, a unit does it.
func (s *Storage) transport(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	if units, _ := s.machine.Units(ctx); !units { // also where systemd is too old: the module may be there
		return nil
	}
	modprobe, err := frame.Find("modprobe")
	if err != nil {
		return nil // nothing is loaded here, or iscsiadm says what it misses
	}
	if _, err := s.machine.Run(ctx, frame.Unit("comet-iscsi-tcp.service", []string{"--wait", "--pipe"}, []string{modprobe, "-q", "iscsi_tcp"})); err != nil {
		return fmt.Errorf("load iscsi_tcp, without which the kernel knows no iSCSI: %w", err)
	}
	s.loaded = true
	return nil
}
