package guest

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/hostname"
	"github.com/renci-nrig/comet-go/comet/guest/internal/peers"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
)

// Clean takes away what makes a machine this VM of this slice, before an image is made of it: the guest's blocks, its state with the
// tokens in it, root's SSH keys where the guest has made them, and what attaches disks at boot. It returns what it did, in order. What was applied to the machine
// itself, such as users, stays. No guest may run.
func Clean(ctx context.Context, root string, log *slog.Logger) (done []Change, err error) {
	m, err := frame.Open(root, "clean", log)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var steps []frame.Step
	for _, b := range []frame.Block{peers.HostsBlock, peers.KeysBlock, peers.KnownHostsBlock, hostname.LoopbackBlock} {
		s, err := m.SetBlock(b, nil)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s...)
	}
	made, err := sshkey.Made(m)
	if err != nil {
		return nil, err
	}
	for _, name := range made {
		s, err := m.Remove(name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s...)
	}
	disks, err := storage.Cleaning(m)
	if err != nil {
		return nil, err
	}
	steps = append(append(steps, disks...), stateSteps(m)...)
	for _, s := range steps {
		if err := s.Do(ctx); err != nil {
			return done, errors.Join(errors.New(s.Text), err)
		}
		done = append(done, Change{Text: s.Text})
	}
	return done, nil
}

// stateSteps removes the guest's state, all but the lock, which a guest may be waiting for.
func stateSteps(m *frame.Machine) (steps []frame.Step) {
	entries, err := fs.ReadDir(m.Root().FS(), frame.StateFolder)
	if err != nil {
		return nil // there is none
	}
	for _, e := range entries {
		name := path.Join(frame.StateFolder, e.Name())
		if e.Name() != "lock" {
			steps = append(steps, frame.Step{Text: "remove /" + name, Do: func(context.Context) error { return m.Root().RemoveAll(name) }})
		}
	}
	return steps
}
