package server

import (
	"context"
	"fmt"

	"github.com/renci-nrig/comet-go/scope"
)

// readiness is what Ready looks for; nothing is there.
var readiness = scope.MustName("readiness", "readiness", "readiness")

// Ready reports whether the head's store can be read and takes changes; the error says why not. It changes nothing.
func (h *Head) Ready(ctx context.Context) error {
	if _, _, err := h.store.Read(ctx, readiness, scope.MustToken("readiness")); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if _, err := h.store.Apply(ctx); err != nil {
		return fmt.Errorf("change: %w", err)
	}
	return nil
}
