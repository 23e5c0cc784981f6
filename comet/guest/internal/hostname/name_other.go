//go:build !linux

package hostname

import "github.com/renci-nrig/comet-go/comet/guest/internal/frame"

// setName sets none: VMs run Linux.
func setName(string) error { return frame.ErrNeedsRoot }
