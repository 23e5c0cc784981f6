package storage

import (
	"context"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// withdraw lets those disks go that nobody asks for any more: all that are not among the orders where these are the whole, else those
// whose name is known.
func (l *looking) withdraw(refused map[string]bool, whole bool) {
	held := false
	for _, d := range l.ledger.Devices {
		switch {
		case slices.ContainsFunc(l.orders, func(o order) bool { return o.same(d) }):
		case whole, refused[d.Name], slices.ContainsFunc(l.orders, func(o order) bool { return o.name == d.Name }):
			l.errs = append(l.errs, l.letGo(d))
		case len(d.Logins) > 0:
			held = true
		}
	}
	if held {
		l.plan.Notes = append(l.plan.Notes, frame.Held("storage", l.plan.Notes))
	}
}

// letGo plans what becomes of a disk that is not wanted any more: in use, it stays until it is not; then the guest logs out, where it was
// the guest that logged in and nobody else needs the target.
func (l *looking) letGo(d device) error {
	l.gone[d.UUID] = d.UUID != ""
	about := "storage " + d.Name
	locked, err := l.storage.locked(d.Name)
	if err != nil {
		return err
	}
	if locked {
		l.say(frame.Waiting, about, "is not wanted any more, but a file system is being made on it")
		return nil
	}
	for _, target := range d.Logins {
		if l.needed(d, target) {
			continue
		}
		if why := l.busy(d, target); why != "" {
			l.say(frame.Warning, about, "is not wanted any more, but "+why+": it stays until it is not in use")
			if slices.Contains(d.NotAtBoot, target) {
				continue
			}
		}
		l.plan.Steps = append(l.plan.Steps, l.logOut(d, target))
	}
	return nil
}

// needed reports whether a disk that is wanted is at a target.
func (l *looking) needed(d device, target string) bool {
	return slices.ContainsFunc(l.orders, func(o order) bool {
		return o.portal == d.Portal && slices.Contains(l.ledger.find(o).Targets, target)
	})
}

// busy says which disk of a target is in use, and by what; nothing where none is.
func (l *looking) busy(d device, target string) string {
	for _, k := range l.links {
		if k.portal != d.Portal || k.target != target {
			continue
		}
		found, err := diskAt(k.path)
		if err == nil {
			err = found.inUse(l.mounts)
		}
		if err != nil {
			return found.path + " " + err.Error()
		}
	}
	return ""
}

// logOut is the step that leaves a target: at once where its disks are not in use, and without what logs in; else from the next boot.
func (l *looking) logOut(d device, target string) frame.Step {
	s, busy := l.storage, l.busy(d, target) != ""
	text := "log out of " + target
	if busy {
		text = "log in to " + target + " no more at boot"
	}
	return frame.Step{Text: text, Of: d.Name, Do: func(ctx context.Context) error {
		if err := s.notAtBoot(ctx, d.Portal, target); err != nil {
			return err
		}
		if busy {
			return s.change(d, func(have *device) { have.NotAtBoot = append(without(have.NotAtBoot, target), target) })
		}
		for _, what := range [][]string{{"--logout"}, {"-o", "delete"}} {
			_, err := s.machine.Run(ctx, onNode(offer{portal: d.Portal, target: target}, what...))
			if err != nil && frame.ExitCode(err) != noRecords {
				return err
			}
		}
		return s.change(d, func(have *device) {
			have.Logins, have.NotAtBoot = without(have.Logins, target), without(have.NotAtBoot, target)
		})
	}}
}
