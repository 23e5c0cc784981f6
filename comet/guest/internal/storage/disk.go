package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// disk is a block device as the kernel has it.
type disk struct {
	link   string // by which it was found
	path   string // /dev/sdb
	number string // MAJOR:MINOR
	size   int64  // in bytes
	wwid   string // what the disk calls itself; empty where it does not
}

func diskAt(link string) (k disk, err error) {
	k.link = link
	if k.path, err = filepath.EvalSymlinks(link); err != nil {
		return k, err
	}
	var stat unix.Stat_t
	if err := unix.Stat(k.path, &stat); err != nil {
		return k, fmt.Errorf("%s: %w", k.path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return k, fmt.Errorf("%s is no disk", k.path)
	}
	k.number = fmt.Sprintf("%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	blocks, err := strconv.ParseInt(k.fact("size"), 10, 64)
	if err != nil {
		return k, fmt.Errorf("the size of %s: %w", k.path, err)
	}
	k.size, k.wwid = blocks*512, k.fact("device/wwid")
	return k, nil
}

// still makes sure that the link leads to the same disk as before.
func (k disk) still() error {
	now, err := diskAt(k.link)
	if err == nil && now != k {
		err = errors.New("is not the disk any more that it was")
	}
	return err
}

func (k disk) sys(name string) string { return filepath.Join("/sys/dev/block", k.number, name) }

// fact is what the kernel says about the disk.
func (k disk) fact(name string) string {
	text, _ := os.ReadFile(k.sys(name))
	return strings.TrimSpace(string(text))
}

// content is what a probe found on a disk.
type content struct {
	fsType, uuid string
	fileSystem   bool   // that can be mounted
	text         string // for people: "ext4", "a partition table (dos)"
}

var errAmbivalent = errors.New("has traces of more than one file system or partition table")

// uuids are those of file systems, in all their forms.
var uuids = regexp.MustCompile(`^[0-9A-Za-z-]{4,64}$`)

// probe asks blkid what is on a disk. It is nil where nothing is found.
func (s *Storage) probe(ctx context.Context, k disk) (*content, error) {
	out, err := s.machine.Run(ctx, frame.Command{Program: "blkid", Args: []string{"-p", "-o", "export", k.path}})
	const nothing, ambivalent = 2, 8
	switch code := frame.ExitCode(err); {
	case err == nil:
	case code == nothing:
		return nil, nil
	case code == ambivalent:
		return nil, errAmbivalent
	default:
		return nil, err
	}
	return parseContent(string(out)), nil
}

// parseContent reads what blkid says, a name and a value a line.
func parseContent(out string) *content {
	facts := map[string]string{}
	for text := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(text), "=")
		facts[name] = value
	}
	c := &content{fsType: facts["TYPE"], uuid: facts["UUID"], fileSystem: facts["USAGE"] == "filesystem" && fsTypes.MatchString(facts["TYPE"])}
	switch {
	case facts["PTTYPE"] != "":
		c.text, c.fileSystem = "a partition table ("+frame.OneLine(facts["PTTYPE"])+")", false
	case c.fsType != "":
		c.text = frame.OneLine(c.fsType)
	default:
		c.text = "something that blkid knows"
	}
	return c
}

// inUse says who has a disk, nothing where nobody does and it is a whole one.
func (k disk) inUse(mounts []mount) error {
	parts, err := filepath.Glob(k.sys("*/partition"))
	switch {
	case err != nil:
		return err
	case k.fact("partition") != "":
		return errors.New("is a part of a disk")
	case len(parts) > 0:
		return errors.New("has partitions")
	case k.fact("ro") != "0":
		return errors.New("cannot be written")
	case k.size == 0:
		return errors.New("has no size")
	}
	return k.claimed(mounts)
}

// claimed says who has a disk for themselves: a mount, another disk that is made of it, swap, or a program that has opened it so.
func (k disk) claimed(mounts []mount) error {
	holders, err := os.ReadDir(k.sys("holders"))
	if err != nil {
		return err
	}
	if len(holders) > 0 {
		return errors.New("is held by " + frame.OneLine(holders[0].Name()))
	}
	for _, m := range mounts {
		if m.number == k.number {
			return errors.New("is mounted at " + frame.OneLine(m.at))
		}
	}
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the kernel may know no swap
		return err
	}
	if strings.Contains("\n"+string(swaps), "\n"+k.path+" ") {
		return errors.New("is swap")
	}
	f, err := os.OpenFile(k.path, os.O_RDONLY|unix.O_EXCL, 0) // of a disk, O_EXCL asks to have it alone
	switch {
	case errors.Is(err, unix.EBUSY):
		return errors.New("is in use by a program, or by another disk, swap or mount")
	case err != nil:
		return err
	}
	return f.Close()
}

// blank returns nil only where a disk is certain to hold nothing: two probes find nothing, and both ends are zero.
func (s *Storage) blank(ctx context.Context, k disk) error {
	if err := s.unsigned(ctx, k); err != nil {
		return err
	}
	f, err := os.Open(k.path)
	if err != nil {
		return err
	}
	defer f.Close()
	const end = 1 << 20
	for _, at := range []int64{0, max(k.size-end, 0)} {
		part := make([]byte, min(end, k.size))
		if _, err := f.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("cannot be read: %w", err)
		}
		for _, b := range part {
			if b != 0 {
				return holds("data that no probe knows")
			}
		}
	}
	return nil
}

// holds is an error that says what is on a disk.
type holds string

func (h holds) Error() string { return "holds " + string(h) }

// unsigned returns nil only where neither blkid nor wipefs finds anything on a disk.
func (s *Storage) unsigned(ctx context.Context, k disk) error {
	c, err := s.probe(ctx, k)
	if err != nil {
		return err
	}
	if c != nil {
		return holds(c.text)
	}
	out, err := s.machine.Run(ctx, frame.Command{Program: "wipefs", Args: []string{"--no-act", k.path}})
	if err != nil {
		return err
	}
	if len(strings.TrimSpace(string(out))) > 0 {
		return holds("something that wipefs finds and blkid does not")
	}
	return nil
}
