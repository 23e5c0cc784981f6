package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/hostname"
	"github.com/renci-nrig/comet-go/comet/guest/internal/peers"
	"github.com/renci-nrig/comet-go/comet/guest/internal/sshkey"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// Clean takes away what makes a machine this VM of this slice, before an image is made of it: the guest's blocks, its state and what
// cloud-init has brought for it, both with tokens in it, root's SSH keys where the guest has made them, what attaches disks at boot, what
// keeps programs of the distribution from its network interfaces, and what keeps cloud-init from naming the next VM. It returns what it did,
// in order. What was applied to the machine itself, such as users, stays. It waits for a guest that is making a pass, and for whoever
// stays, as Once does until it returns; none that runs may make another pass afterwards.
func Clean(ctx context.Context, root string, log *slog.Logger) (done []Change, err error) {
	m, err := frame.Open(root, "clean", log)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	unlock, err := m.LockAll(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for _, part := range cleaning(m) { // each looks at what those before it have left: two blocks may stand in one file
		steps, err := part()
		if err != nil {
			return done, err
		}
		for _, s := range steps {
			if err := s.Do(ctx); err != nil {
				return done, fmt.Errorf("%s: %w", s.Text, err)
			}
			done = append(done, Change{Text: s.Text})
		}
	}
	return done, nil
}

// ErrCleaning says that the machine is being cleaned, or was while something was to be done, and that nothing may be kept on it.
var ErrCleaning = errors.New("this machine is cleaned, for an image to be made of it")

// Cleaned returns how often the machine below root has been cleaned.
func Cleaned(root string) (times int64, err error) {
	m, err := frame.Open(root, "stay", slog.Default())
	if err != nil {
		return 0, err
	}
	defer m.Close()
	return m.Cleared(), nil
}

// Stay keeps Clean waiting until leave is called: it is for those who keep something on the machine below root that Clean takes away. Any
// number may stay at a time. cleaned is what Cleaned returned before it was found out what to keep; where it says something else by now, or
// Clean is at work, the error matches ErrCleaning.
func Stay(root string, cleaned int64) (leave func() error, err error) {
	m, err := frame.Open(root, "stay", slog.Default())
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return stay(m, cleaned)
}

func stay(m *frame.Machine, cleaned int64) (leave func() error, err error) {
	if leave, err = m.Stay(cleaned); errors.Is(err, atomicfile.ErrHeld) {
		return nil, ErrCleaning
	}
	return leave, err
}

// cleaning is what is taken away, in order; the state, which says what the guest has made, comes last.
func cleaning(m *frame.Machine) (parts []func() ([]frame.Step, error)) {
	for _, b := range []frame.Block{peers.HostsBlock, peers.KeysBlock, peers.KnownHostsBlock, hostname.LoopbackBlock} {
		parts = append(parts, func() ([]frame.Step, error) { return m.SetBlock(b, nil) })
	}
	keys := func() (steps []frame.Step, err error) {
		made, err := sshkey.Made(m)
		for _, name := range made {
			s, failed := m.Remove(name)
			steps, err = append(steps, s...), errors.Join(err, failed)
		}
		return steps, err
	}
	others := func() ([]frame.Step, error) { return machineSteps(m) }
	for _, name := range []string{orca.GuestUserData, orca.GuestSettings, hostname.CloudInitFile} {
		parts = append(parts, func() ([]frame.Step, error) { return m.Remove(strings.TrimPrefix(name, "/")) })
	}
	return append(parts, keys, others, func() ([]frame.Step, error) { return stateSteps(m), nil })
}

// stateSteps removes the guest's state, all but the locks, for which a guest may be waiting.
func stateSteps(m *frame.Machine) (steps []frame.Step) {
	entries, err := fs.ReadDir(m.Root().FS(), frame.StateFolder)
	if err != nil {
		return nil // there is none
	}
	for _, e := range entries {
		name := path.Join(frame.StateFolder, e.Name())
		if !frame.IsLock(e.Name()) {
			steps = append(steps, frame.Step{Text: "remove /" + name, Do: func(context.Context) error { return m.Root().RemoveAll(name) }})
		}
	}
	return steps
}
