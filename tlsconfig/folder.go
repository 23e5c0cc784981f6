package tlsconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// placeFolder writes files into a new folder beside dir, which then takes its name. dir may exist only if it is empty.
func placeFolder(dir string, files []madeFile) (err error) {
	if dir, err = target(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(beside))
		}
	}()
	for _, file := range files {
		if err := writeSynced(filepath.Join(beside, file.name), file); err != nil {
			return err
		}
	}
	if err := syncFolder(beside); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder; others stay
		return err
	}
	if err := os.Rename(beside, dir); err != nil {
		return err
	}
	return syncFolder(parent)
}

// target is where dir really is: of a link the end, which is replaced and not the link.
func target(dir string) (string, error) {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	return filepath.Abs(dir)
}

func writeSynced(path string, file madeFile) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, file.mode)
	if err != nil {
		return err
	}
	_, err = f.Write(file.data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
