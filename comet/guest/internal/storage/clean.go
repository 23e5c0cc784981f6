package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Cleaning returns the steps that take away what would attach the disks of this machine to one made from its image: the lines in
// /etc/fstab, open-iscsi's records with their CHAP secrets and logins at boot, and the initiator's name, as far as guests have put them
// there, whichever instance it was. The ledgers that tell of them are removed by others, afterwards. No program is run.
func Cleaning(m *frame.Machine) (steps []frame.Step, err error) {
	if steps, err = m.SetBlock(fstab, nil); err != nil {
		return nil, err
	}
	ledgers, err := fs.Glob(m.Root().FS(), path.Join(frame.StateFolder, "*", ledgerFile))
	if err != nil {
		return nil, err
	}
	for _, file := range ledgers {
		text, err := m.Read(file, true)
		var l ledger
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		if err != nil {
			return nil, errors.Join(errors.New("/"+file+" is not what the guest has written there"), err)
		}
		more, err := l.cleaning(m)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return steps, nil
}

func (l ledger) cleaning(m *frame.Machine) (steps []frame.Step, err error) {
	for _, d := range l.Devices {
		for _, target := range d.Logins {
			steps = append(steps, forget(m, target, fmt.Sprintf("%s,%d,", d.Portal.Addr(), d.Portal.Port()))...)
		}
	}
	text, err := m.Read(initiatorFile, false)
	if l.Initiator == "" || errors.Is(err, fs.ErrNotExist) {
		return steps, nil
	}
	if err != nil {
		return nil, err
	}
	var left strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) != "InitiatorName="+l.Initiator {
			left.WriteString(line)
		}
	}
	put, err := m.Put(frame.File{Name: initiatorFile, Content: []byte(left.String()), Mode: 0o600, Secret: true})
	return append(steps, put...), err
}

// forget returns the steps that remove open-iscsi's records of a target at a portal.
func forget(m *frame.Machine, target, portal string) (steps []frame.Step) {
	for _, nodes := range nodes {
		folder := path.Join(nodes, path.Base(target))
		entries, err := fs.ReadDir(m.Root().FS(), folder)
		if err != nil {
			continue // there are none
		}
		for _, e := range entries {
			if name := path.Join(folder, e.Name()); strings.HasPrefix(e.Name(), portal) {
				steps = append(steps, frame.Step{Text: "remove /" + name, Do: func(context.Context) error { return m.Root().RemoveAll(name) }})
			}
		}
	}
	return steps
}
