package storage

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

const initiatorFile = "etc/iscsi/initiatorname.iscsi"

// initiator plans that open-iscsi goes by the name that the VM was given, and reports whether it does. Sessions are bound to the name
// under which they began: where there are some, it is not changed.
func (l *looking) initiator(ctx context.Context) (ready bool, err error) {
	s := l.storage
	text, err := s.machine.Read(initiatorFile, false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	content, right := initiatorName(string(text), s.Initiator)
	if right && l.ledger.Initiator == s.Initiator {
		return true, nil
	}
	sessions, err := l.sessions(ctx)
	if err != nil {
		return false, err
	}
	keep := frame.Step{Text: "note that iscsid goes by the name " + s.Initiator, Do: func(context.Context) error {
		return s.update(func(b *ledger) { b.Initiator = s.Initiator })
	}}
	switch {
	case right && len(sessions) > 0:
		l.plan.Steps = append(l.plan.Steps, keep)
	case len(sessions) > 0:
		l.say(frame.Warning, "initiator name", "/"+initiatorFile+" has another one, under which there are sessions: it stays, and no disk is attached")
	default:
		steps, err := s.machine.Put(frame.File{Name: initiatorFile, Content: []byte(content), Mode: 0o600})
		if err != nil {
			return false, err
		}
		l.plan.Steps = append(append(l.plan.Steps, steps...), frame.Step{Text: "start iscsid anew", Do: s.restart}, keep)
	}
	l.plan.More = true
	return false, nil
}

// initiatorName returns the file with this name, and whether it has it already. Other lines stay.
func initiatorName(text, name string) (content string, right bool) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	isName := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "InitiatorName=") }
	var names []string
	for _, line := range lines {
		if isName(line) {
			names = append(names, strings.TrimSpace(line))
		}
	}
	wanted := "InitiatorName=" + name
	if slices.Equal(names, []string{wanted}) {
		return text, true
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return isName(line) || line == "" })
	return strings.Join(append(lines, wanted), "\n") + "\n", false
}

// restart lets iscsid, which reads its name when it starts, read it.
func (s *Storage) restart(ctx context.Context) error {
	if frame.Booted() {
		_, err := s.machine.Run(ctx, frame.Command{Program: "systemctl", Args: []string{"restart", "iscsid.service"}})
		return err
	}
	if _, err := s.machine.Run(ctx, frame.Command{Program: "iscsiadm", Args: []string{"-k", "0"}}); err != nil {
		return err // also where none runs it says that it is done
	}
	_, err := s.machine.Run(ctx, frame.Command{Program: "iscsid"})
	return err
}

// confined reports that what a disk needs would be shut in with the guest, and says so.
func (l *looking) confined(ctx context.Context, o order) bool {
	_, err := l.storage.machine.Units(ctx)
	if err != nil {
		l.say(frame.Waiting, o.about(), err.Error())
	}
	return err != nil
}
