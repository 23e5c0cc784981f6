package bolt

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
)

// create makes an empty store beside path and then gives it its name, so that a file of that name is whole at every moment. Where
// somebody else was faster that one's file stays.
func create(path string) error {
	dir := filepath.Dir(path)
	beside, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(beside.Name())
	_ = give(beside, nil) // or it stays with whoever opens it now
	if err := beside.Close(); err != nil {
		return err
	}
	if err := fill(beside.Name(), digest.NewKey()); err != nil {
		return err
	}
	if err := os.Link(beside.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// fill writes what every store has from its first moment.
func fill(path string, key digest.Key) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{tableMeta, tableEntries, tableRemoved, tableChanges} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(tableMeta)
		return errors.Join(
			meta.Put(metaFormat, []byte(format)),
			meta.Put(metaIdentity, []byte(rand.Text())),
			meta.Put(metaDigests, key.Bytes()),
			meta.Put(metaRevision, encodeRevision(0)),
		)
	})
	return errors.Join(err, db.Close())
}

// syncDir makes the name of a new file as lasting as the file.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func checkFormat(found string) error {
	number, ours := strings.CutPrefix(found, formatPrefix)
	switch {
	case found == format:
		return nil
	case ours:
		return fmt.Errorf("%w (%q)", ErrFormat, number)
	}
	return ErrNotStore
}
