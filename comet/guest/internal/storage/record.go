package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// record sees to open-iscsi's record of a target: what to log in with, and whether at boot. iscsiadm takes a secret as an argument only,
// which everybody may read; so the record is made by it, and the lines are set in the file that it keeps, which root alone may read.
func (s *Storage) record(ctx context.Context, o order, at offer, startup string) error {
	file := recordOf(at)
	text, err := s.machine.Read(file, true)
	if errors.Is(err, fs.ErrNotExist) {
		portal := at.portal.String() + "," + at.tag
		made := frame.Command{Program: "iscsiadm", Args: []string{"-m", "node", "-o", "new", "-T", at.target, "-p", portal}}
		if _, err := s.machine.Run(ctx, made); err != nil {
			return fmt.Errorf("make the record of %s: %w", at.target, err)
		}
		text, err = s.machine.Read(file, true)
	}
	if err != nil {
		return fmt.Errorf("open-iscsi's record of %s: %w", at.target, err)
	}
	settings := [][2]string{{"node.startup", startup}, {"node.conn[0].startup", startup}, {"node.session.auth.authmethod", "None"},
		{"node.session.auth.username", ""}, {"node.session.auth.password", ""}}
	if o.user != "" {
		settings[2][1], settings[3][1], settings[4][1] = "CHAP", o.user, o.secret.Reveal()
	}
	steps, err := s.machine.Put(frame.File{Name: file, Content: set(text, settings), Mode: 0o600, Secret: true, NoLinks: true})
	for _, step := range steps {
		err = errors.Join(err, step.Do(ctx))
	}
	return err
}

// nodes is where open-iscsi keeps its records.
const nodes = "etc/iscsi/nodes"

// recordOf is the file of a target's record with the default interface.
func recordOf(at offer) string {
	portal := fmt.Sprintf("%s,%d,%s", at.portal.Addr(), at.portal.Port(), at.tag)
	return nodes + "/" + at.target + "/" + portal + "/default"
}

// another reports whether the record of a target has a login with another user than this disk's, which is then hardly there.
func (s *Storage) another(o order, at offer) bool {
	text, err := s.machine.Read(recordOf(at), true)
	if err != nil {
		return false // others may keep it elsewhere
	}
	user := ""
	for text := range strings.Lines(string(text)) {
		if value, is := strings.CutPrefix(strings.TrimSpace(text), "node.session.auth.username = "); is {
			user = value
		}
	}
	return user != o.user
}

// end is the last line of a record.
const end = "# END RECORD"

// set gives settings their values in a record; one without a value goes. A line is "name = value", and nothing is quoted.
func set(record []byte, settings [][2]string) []byte {
	var b strings.Builder
	for text := range strings.Lines(string(record)) {
		name, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		known := strings.TrimSpace(text) == end
		for _, setting := range settings {
			known = known || name == setting[0]
		}
		if !known {
			b.WriteString(strings.TrimRight(text, "\n") + "\n")
		}
	}
	for _, setting := range settings {
		if setting[1] != "" {
			b.WriteString(setting[0] + " = " + setting[1] + "\n")
		}
	}
	b.WriteString(end + "\n")
	return []byte(b.String())
}

// notAtBoot sees to it that a target is not logged in to at boot any more.
func (s *Storage) notAtBoot(ctx context.Context, portal netip.AddrPort, target string) error {
	_, err := s.machine.Run(ctx, onNode(offer{portal: portal, target: target}, "-o", "update", "-n", "node.startup", "-v", "manual"))
	if status(err) == noRecords {
		return nil
	}
	return err
}
