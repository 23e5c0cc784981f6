package atomicfile

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A temporary file is called ".comet-tmp-", the name of the file it is for, "-" and 16 hexadecimal digits. The leading dot and the
// end without a suffix hide it from programs that read a whole folder, such as sudoers.d, cron.d and udev.
const (
	tempPrefix = ".comet-tmp-"
	tempDigits = 16
)

// put makes data the content of base. The new file is dressed before it is seen; ready, where given, is asked last and can still
// call it off.
func put(dir *os.Root, base string, data []byte, dress func(*os.File) error, ready func() error) error {
	fill := func(f *os.File) error {
		_, err := f.Write(data)
		return err
	}
	return putFrom(dir, base, fill, dress, ready, dir.Rename)
}

// putFrom is put with content that fill writes, and a way in which the new file takes its place.
func putFrom(dir *os.Root, base string, fill, dress func(*os.File) error, ready func() error, place func(name, base string) error) (err error) {
	f, name, err := createTemp(dir, base)
	if err != nil {
		return err
	}
	defer f.Close() // after the rename: the lock on an open file keeps it from being swept
	defer func() {
		if err != nil {
			dir.Remove(name)
		}
	}()
	if err := fill(f); err != nil {
		return err
	}
	if err := dress(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	if err := place(name, base); err != nil {
		return err
	}
	return syncFolder(dir)
}

// A temporary file has one of a few names, so that what a crash left is found without reading the folder, which may be large.
const places = 8

func tempName(base string, place uint64) string {
	return fmt.Sprintf("%s%s-%0*x", tempPrefix, base, tempDigits, place)
}

// createTemp makes a temporary file, at a random place where the few are taken by others that write the same file.
func createTemp(dir *os.Root, base string) (*os.File, string, error) {
	for try := range uint64(100) {
		place := try
		if try >= places {
			random := make([]byte, tempDigits/2)
			rand.Read(random)
			place = binary.BigEndian.Uint64(random)
		}
		name := tempName(base, place)
		f, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if claimed(f) {
			return f, name, nil
		}
		f.Close()
	}
	return nil, "", fmt.Errorf("no temporary file for %s can be made: each is taken away at once", base)
}

// tidy is sweep for one file, by the names alone that there are unless many write it at once.
func tidy(dir *os.Root, base string) {
	for place := range uint64(places) {
		removeLeftover(dir, tempName(base, place))
	}
}

// claimed locks a new file. Between its making and this a sweep of another process may have taken it for a leftover.
func claimed(f *os.File) bool {
	if errors.Is(flock(f, unix.LOCK_EX), unix.EWOULDBLOCK) { // other errors: a file system without locks
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Nlink > 0
}

// sweep removes the temporary files that crashes have left beside the files named. What cannot be removed does no harm and stays.
func sweep(dir *os.Root, bases ...string) {
	folder, err := dir.Open(".")
	if err != nil {
		return
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(-1)
	for _, name := range names {
		if base, ok := tempOf(name); ok && slices.Contains(bases, base) {
			removeLeftover(dir, name)
		}
	}
}

// tempOf returns the name of the file that a temporary file is for.
func tempOf(name string) (base string, ok bool) {
	name, ok = strings.CutPrefix(name, tempPrefix)
	at := len(name) - tempDigits - 1
	if !ok || at < 1 || name[at] != '-' {
		return "", false
	}
	_, err := hex.DecodeString(name[at+1:])
	return name[:at], err == nil
}

func removeLeftover(dir *os.Root, name string) {
	f, err := openRegular(dir, name, os.O_RDONLY)
	if err != nil {
		return
	}
	defer f.Close()
	if flock(f, unix.LOCK_EX) != nil {
		return
	}
	// Before it was locked another may have swept it, and made a new one of the same name. Who holds the lock is alone in removing it.
	mine, err := f.Stat()
	if now, e := dir.Lstat(name); err == nil && e == nil && os.SameFile(mine, now) {
		dir.Remove(name)
	}
}

// openRegular opens a regular file and nothing else: no link is followed and no pipe waited for.
func openRegular(dir *os.Root, name string, flag int) (*os.File, error) {
	seen, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path.Join(dir.Name(), name), Err: errors.New("not a regular file")}
	}
	f, err := dir.OpenFile(name, flag|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if got, err := f.Stat(); err != nil || !os.SameFile(seen, got) {
		f.Close()
		return nil, ErrChanged
	}
	return f, nil
}

// readRegular reads what openRegular opens.
func readRegular(dir *os.Root, name string) ([]byte, error) {
	f, err := openRegular(dir, name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

// longest is how long a file may be that is read as a whole. Some belong to users who may make them as long as they like.
const longest = 16 << 20

var errTooLong = fmt.Errorf("is longer than %d MiB", longest>>20)

func readAll(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err == nil && len(data) > longest {
		return nil, errTooLong
	}
	return data, err
}

// syncFolder makes renames and removals in a folder durable, where the file system can.
func syncFolder(dir *os.Root) error {
	folder, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	err = folder.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
