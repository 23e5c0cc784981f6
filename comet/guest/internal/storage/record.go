package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// record sees to open-iscsi's record of a target: what to log in with, and whether at boot. iscsiadm takes a secret as an argument only,
// which everybody may read; so the record is made by it, and the lines are set in the file that it keeps, which root alone may read.
func (s *Storage) record(ctx context.Context, o order, at offer, startup string) error {
	file, text, err := s.find(at, s.nodes())
	if errors.Is(err, fs.ErrNotExist) {
		portal := at.portal.String() + "," + at.tag
		made := frame.Command{Program: "iscsiadm", Args: []string{"-m", "node", "-o", "new", "-T", at.target, "-p", portal}}
		if _, err := s.machine.Run(ctx, made); err != nil {
			return fmt.Errorf("make the record of %s: %w", at.target, err)
		}
		file, text, err = s.find(at, nodes...)
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

// nodes are the folders in which open-iscsi keeps its records: where most distributions have it now, and where Debian had it for long.
var nodes = []string{"var/lib/iscsi/nodes", "etc/iscsi/nodes"}

// nodes returns the folder of this machine. What an upgrade has left in the other one is not what open-iscsi goes by.
func (s *Storage) nodes() string {
	if info, err := s.machine.Root().Stat(path.Dir(nodes[0])); err == nil && info.IsDir() {
		return nodes[0]
	}
	return nodes[1]
}

// find returns the file of a target's record with the default interface, in the first of these folders that has it.
func (s *Storage) find(at offer, folders ...string) (file string, text []byte, err error) {
	portal := fmt.Sprintf("%s,%d,%s", at.portal.Addr(), at.portal.Port(), at.tag)
	for _, folder := range folders {
		file = path.Join(folder, at.target, portal, "default")
		if text, err = s.machine.Read(file, true); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return file, text, err
}

// another reports whether the record of a target has a login with another user than this disk's, which is then hardly there.
func (s *Storage) another(o order, at offer) bool {
	_, text, err := s.find(at, nodes...)
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
	if frame.ExitCode(err) == noRecords {
		return nil
	}
	return err
}
