package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// decide plans what becomes of a disk that has just appeared: it is used as it is, or formatted, or left alone.
func (l *looking) decide(ctx context.Context, o order, d device, k disk) error {
	s := l.storage
	c, err := s.probe(ctx, k)
	if errors.Is(err, errAmbivalent) {
		l.leave(o, k, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	uuid := ""
	if c != nil {
		uuid = c.uuid
	}
	twin := l.twin(l.ledger, o, k, uuid)
	switch {
	case twin != "":
		l.leave(o, k, "is the disk of "+twin+", by another way, or a copy of it")
	case c != nil && c.fileSystem && uuids.MatchString(c.uuid) && (c.fsType == o.fsType || o.fsType == "" && !o.format):
		d.State, d.UUID, d.FSType, d.Link, d.Size, d.WWID = found, c.uuid, c.fsType, k.link, k.size, k.wwid
		l.plan.Steps = append(l.plan.Steps, s.note("use "+o.name+" as it is, with "+c.fsType, d))
		l.plan.More = true
	case c != nil:
		l.leave(o, k, "holds "+c.text)
	case !o.format:
		l.leave(o, k, "holds no file system to mount, and none is to be made")
	case s.handled(o):
		l.leave(o, k, "holds no file system, though older guest tools have handled it (/"+s.OldState+"/storage/"+o.name+")")
	default:
		return l.first(ctx, o, d, k)
	}
	return nil
}

// twin names the disk that this is as well, by another way such as another portal, or whose UUID it has, by which one could be mounted in
// the place of the other. One that is not wanted any more counts as long as it is in use.
func (l *looking) twin(have ledger, o order, k disk, uuid string) string {
	for _, d := range have.Devices {
		if o.same(d) || d.State == "" || d.Link == k.link {
			continue
		}
		other, err := diskAt(d.Link)
		if !slices.ContainsFunc(l.orders, func(o order) bool { return o.same(d) }) && (err != nil || other.inUse(l.mounts) == nil) {
			continue
		}
		if k.wwid != "" && d.WWID == k.wwid || err == nil && other.number == k.number || uuid != "" && d.UUID == uuid {
			return d.Name
		}
	}
	return ""
}

// leave says why nothing is done with a disk.
func (l *looking) leave(o order, k disk, why string) {
	l.say(frame.Warning, o.about(), k.path+" "+why+": it is left alone")
}

// first plans the file system of a disk that is blank.
func (l *looking) first(ctx context.Context, o order, d device, k disk) error {
	if err := k.inUse(l.mounts); err != nil {
		l.leave(o, k, err.Error())
		return nil
	}
	err := l.storage.blank(ctx, k)
	if what, is := errors.AsType[holds](err); is {
		l.leave(o, k, what.Error())
		return nil
	}
	if err != nil {
		return err
	}
	if l.confined(ctx, o) {
		return nil
	}
	l.plan.Steps = append(l.plan.Steps, l.format(o, d, k, "make "+o.fsType))
	l.plan.More = true
	return nil
}

// resume plans what becomes of a disk whose file system was begun, by this guest or one before it. What is on the disk does not tell
// whether mkfs has ended: only one that has left its mark counts, and every other is done again, unless somebody has used what it made.
func (l *looking) resume(ctx context.Context, o order, d device, k disk) error {
	s, w := l.storage, l.storage.work(o)
	under, err := w.under(), error(nil)
	if !under {
		under, err = s.locked(o.name)
	}
	if err != nil {
		return err
	}
	if under {
		l.say(frame.Waiting, o.about(), d.FSType+" is being made")
		if !w.under() {
			l.step(o, "watch how "+d.FSType+" is made on "+o.name, func(context.Context) error {
				s.watch(o, d, k, func() error { return s.unlocked(o.name) })
				return nil
			})
		}
		return nil
	}
	if !d.matches(k) {
		l.leave(o, k, "is not the disk on which "+d.FSType+" was begun")
		return nil
	}
	well := marked(s.machine, d)
	if err := w.failure(o); err != nil && !well {
		l.plan.Merge(frame.Plan{Retry: w.retry})
		return err
	}
	c, err := s.begun(ctx, d, k)
	if err == nil && c != nil && !well {
		err = k.unused()
	}
	switch {
	case errors.Is(err, errElse), errors.Is(err, errUsed):
		l.leave(o, k, err.Error())
	case err != nil:
		return err
	case well && c == nil:
		l.leave(o, k, "does not hold the "+d.FSType+" any more that was made there")
	case well:
		l.step(o, "note that "+o.name+" has its "+d.FSType, func(context.Context) error { return s.finish(s.machine, d, k) })
		l.plan.More = true
	case !o.format:
		l.leave(o, k, "holds a part of "+d.FSType+", and none is to be made any more")
	case l.confined(ctx, o):
	default:
		l.plan.Steps = append(l.plan.Steps, l.format(o, d, k, "make "+o.fsType+" once more"))
		l.plan.More = true
	}
	return nil
}

// begun returns what is on a disk on which a file system was begun: that, or nothing that a probe knows. With anything else the error
// matches errElse.
func (s *Storage) begun(ctx context.Context, d device, k disk) (*content, error) {
	c, err := s.probe(ctx, k)
	switch {
	case errors.Is(err, errAmbivalent):
		return nil, fmt.Errorf("%w, %w", err, errElse)
	case err != nil:
		return nil, err
	case c != nil && c.uuid == d.UUID:
		return c, nil
	}
	err = s.unsigned(ctx, k)
	if _, is := errors.AsType[holds](err); is {
		err = fmt.Errorf("%w, %w", err, errElse)
	}
	return nil, err
}

var errElse = errors.New("though another file system was begun there")
