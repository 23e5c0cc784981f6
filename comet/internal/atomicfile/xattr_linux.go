package atomicfile

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// computed are attributes that the kernel derives from a file's content; those of the old content would be wrong.
var computed = []string{"security.ima", "security.evm"}

// copyAttributes makes the extended attributes of to those of from, among them what a new file has inherited from its folder and
// from did not have. It returns the names of those that this process may not set or remove.
func copyAttributes(from, to *os.File) (lost []string, err error) {
	want, err := attributes(from)
	if err != nil {
		return nil, err
	}
	have, err := attributes(to)
	if err != nil {
		return nil, err
	}
	note := func(name string, err error) error {
		if forbidden(err) {
			lost = append(lost, name)
			return nil
		}
		return err
	}
	for name, value := range want {
		if old, ok := have[name]; ok && bytes.Equal(old, value) {
			continue
		}
		if err := note(name, unix.Fsetxattr(int(to.Fd()), name, value, 0)); err != nil {
			return nil, err
		}
	}
	for name := range have {
		if _, ok := want[name]; ok {
			continue
		}
		if err := note(name, unix.Fremovexattr(int(to.Fd()), name)); err != nil {
			return nil, err
		}
	}
	slices.Sort(lost)
	return lost, nil
}

func forbidden(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOTSUP)
}

// attributes returns what can be listed and read.
func attributes(f *os.File) (map[string][]byte, error) {
	list, err := sized(func(b []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), b) })
	if forbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := make(map[string][]byte)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if name == "" || slices.Contains(computed, name) {
			continue
		}
		value, err := sized(func(b []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, b) })
		switch {
		case err == nil:
			all[name] = value
		case !forbidden(err) && !errors.Is(err, unix.ENODATA):
			return nil, err
		}
	}
	return all, nil
}

// sized calls get with room for what it says that it has, again while that grows.
func sized(get func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := get(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		b := make([]byte, n)
		n, err = get(b)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return b[:n], nil
	}
}
