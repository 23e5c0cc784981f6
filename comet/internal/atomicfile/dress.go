package atomicfile

import (
	"fmt"
	"os"
	"syscall"
)

// dress gives f the owner, the extended attributes and the mode of the original. The mode comes last: a change of owner clears
// set-user-ID bits, and an access list changes the group's permissions.
func (o *original) dress(f *os.File) (lost []string, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	want, ok1 := o.info.Sys().(*syscall.Stat_t)
	have, ok2 := info.Sys().(*syscall.Stat_t)
	if ok1 && ok2 && (want.Uid != have.Uid || want.Gid != have.Gid) {
		if err := f.Chown(int(want.Uid), int(want.Gid)); err != nil {
			return nil, fmt.Errorf("keep the owner %d:%d: %w", want.Uid, want.Gid, err)
		}
	}
	if lost, err = copyAttributes(o.File, f); err != nil {
		return nil, fmt.Errorf("keep the extended attributes: %w", err)
	}
	return lost, f.Chmod(o.info.Mode())
}

// keepMode sets the set-user-ID bits again that writing into f has cleared.
func (o *original) keepMode(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Mode() == o.info.Mode() {
		return err
	}
	return f.Chmod(o.info.Mode())
}
