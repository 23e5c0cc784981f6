package vms

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Console is all that a VM has said on its console, over all boots. Safe for concurrent use.
type Console struct {
	file io.Writer // where it is kept as well

	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed at the next words
}

func newConsole(file io.Writer) *Console { return &Console{file: file, more: make(chan struct{})} }

// Write adds what qemu reads from the VM.
func (c *Console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(b)
	close(c.more)
	c.more = make(chan struct{})
	return c.file.Write(b)
}

// Wait waits for a text, from the beginning on.
func (c *Console) Wait(ctx context.Context, text string) error {
	for {
		c.mu.Lock()
		there, more := bytes.Contains(c.text.Bytes(), []byte(text)), c.more
		c.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("wait for %q on the console: %w", text, context.Cause(ctx))
		}
	}
}

// Tail returns the last lines.
func (c *Console) Tail(lines int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := strings.SplitAfter(c.text.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
