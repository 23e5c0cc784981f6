package storage

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// fstab is where the guest's lines stand.
var fstab = frame.Block{File: "etc/fstab", Name: "comet storage", Mode: 0o644}

// mount is one that is there.
type mount struct{ number, at string }

// mounts reads the kernel's table; see proc_pid_mountinfo(5).
func mounts() ([]mount, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(string(text)), nil
}

func parseMounts(text string) (list []mount) {
	for text := range strings.Lines(text) {
		if fields := strings.Fields(text); len(fields) > 4 {
			list = append(list, mount{number: fields[2], at: unescape.Replace(fields[4])})
		}
	}
	return list
}

// mounted plans that a file system is mounted where it is wanted.
func (l *looking) mounted(ctx context.Context, o order, d device, k disk) error {
	s := l.storage
	at := slices.IndexFunc(l.mounts, func(m mount) bool { return m.number == k.number })
	if at >= 0 && slices.Contains(l.mounts, mount{k.number, o.mount}) {
		l.plan.Count++
		l.lines[o.mount] = line(d.UUID, o.mount, d.FSType)
		return nil
	}
	if at >= 0 {
		l.say(frame.Warning, o.about(), "is mounted at "+frame.OneLine(l.mounts[at].at)+" already, and not at "+o.mount)
		return nil
	}
	if err := k.claimed(l.mounts); err != nil {
		l.say(frame.Warning, o.about(), err.Error()+", and is not mounted")
		return nil
	}
	if slices.ContainsFunc(l.mounts, func(m mount) bool { return m.at == o.mount }) {
		l.say(frame.Warning, o.about(), wrong("fsMountPoint", "is where something else is mounted").Error())
		return nil
	}
	if l.foreign[o.mount] {
		l.say(frame.Warning, o.about(), wrong("fsMountPoint", "is in a line of somebody else in /etc/fstab").Error())
		return nil
	}
	if err := free(s.machine, o.mount); err != nil {
		l.say(frame.Warning, o.about(), err.Error())
		return nil
	}
	if l.confined(ctx, o) {
		return nil
	}
	c, err := s.probe(ctx, k)
	if err != nil {
		return err
	}
	if c == nil || c.uuid != d.UUID || c.fsType != d.FSType {
		l.say(frame.Warning, o.about(), "does not hold its file system any more, and is not mounted")
		return nil
	}
	l.plan.Count++
	l.lines[o.mount] = line(d.UUID, o.mount, d.FSType)
	l.mountings = append(l.mountings, frame.Step{Text: "mount " + o.name + " at " + o.mount, Of: o.name, Do: func(ctx context.Context) error {
		return s.mount(ctx, o, d, k)
	}})
	return nil
}

func (s *Storage) mount(ctx context.Context, o order, d device, k disk) error {
	units, err := s.machine.Units(ctx)
	if err != nil {
		return err
	}
	if err := k.still(); err != nil {
		return fmt.Errorf("%s %w", k.path, err)
	}
	if err := free(s.machine, o.mount); err != nil {
		return err
	}
	if err := s.machine.MakeFolder(strings.TrimPrefix(o.mount, "/"), 0o755); err != nil {
		return err
	}
	args := []string{"-t", d.FSType, "-o", options, "--", k.path, o.mount}
	if !units {
		_, err := s.machine.Run(ctx, frame.Command{Program: "mount", Args: args})
		return err
	}
	program, err := frame.Find("mount")
	if err != nil {
		return err
	}
	// Outside of what confines the guest, whose mounts nobody else would see.
	_, err = s.machine.Run(ctx, frame.Unit("comet-mount-"+o.name+".service", []string{"--wait", "--pipe"}, append([]string{program}, args...)))
	return err
}

// table plans the guest's lines in /etc/fstab. Lines of disks of which nothing is known now stay as they are.
func (l *looking) table() error {
	s := l.storage
	old, err := s.machine.BlockLines(fstab)
	if err != nil {
		return err
	}
	var lines []string
	for _, text := range old {
		uuid, at := parseLine(text)
		place, ordered := l.wantedAt[uuid]
		if at != "" && l.lines[at] == "" && (ordered && place == at || !ordered && !l.gone[uuid]) {
			lines = append(lines, text)
		}
	}
	for _, text := range l.lines {
		lines = append(lines, text)
	}
	steps, err := s.machine.SetBlock(fstab, lines)
	if err != nil || len(steps) == 0 {
		return err
	}
	if frame.Booted() {
		steps = append(steps, s.machine.Exec(frame.Command{Program: "systemctl", Args: []string{"daemon-reload"}}))
	}
	for i := range steps {
		steps[i].Of = "/" + fstab.File
	}
	l.plan.Steps = append(l.plan.Steps, steps...)
	return nil
}

// others notes the mount points in lines of /etc/fstab that are not the guest's.
func (l *looking) others() error {
	own := func(text string) bool {
		return strings.HasPrefix(text, "UUID=") && strings.Contains(text, "\t"+options+"\t")
	}
	foreign, err := l.storage.machine.Foreign(fstab, own)
	for text := range strings.Lines(string(foreign)) {
		if _, at := parseLine(text); at != "" {
			l.foreign[at] = true
		}
	}
	return err
}

// parseLine returns the UUID and the mount point in a line of fstab(5); nothing for other lines.
func parseLine(text string) (uuid, mount string) {
	fields := strings.Fields(text)
	if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
		return "", ""
	}
	return strings.TrimPrefix(fields[0], "UUID="), unescape.Replace(fields[1])
}
