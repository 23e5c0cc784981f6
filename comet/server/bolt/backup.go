package bolt

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// A backup is a line of JSON, the Backup below; then the file as it was at one moment, size bytes; then another line,
// {"sha256":"…"}, with the sum of all before it in hexadecimal.
const (
	backupPrefix    = "comet-backup/"
	backupFormat    = backupPrefix + "1"
	backupBeginning = `{"format":"` + backupPrefix
	maxBackupLine   = 4096 // bytes
)

// Backup is what the first line of a backup says.
type Backup struct {
	Format   string    `json:"format"`
	Store    string    `json:"store"` // identity
	Revision uint64    `json:"revision"`
	Taken    time.Time `json:"taken"`
	Size     int64     `json:"size"` // of the file in it, in bytes
}

type backupSum struct {
	SHA256 string `json:"sha256"`
}

// What is wrong with a backup.
var (
	ErrNotBackup     = errors.New("is no backup of a store")
	ErrBackupFormat  = errors.New("has a format that this version does not know")
	ErrBackupDamaged = errors.New("is truncated or was altered")
)

// Backup writes a copy of the file as it is at one moment. Changes go on meanwhile, but for one that needs the file to be mapped
// anew because it has grown: such a change waits. So w should not be slow.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := done(ctx); err != nil {
		return err
	}
	return s.view(func(tx *bbolt.Tx) error {
		revision, err := parseRevision(tx.Bucket(tableMeta).Get(metaRevision))
		if err != nil {
			return err
		}
		b := Backup{Format: backupFormat, Store: s.identity, Revision: revision, Taken: time.Now().UTC().Truncate(time.Second), Size: tx.Size()}
		sum := sha256.New()
		out := &untilDone{ctx, io.MultiWriter(w, sum)}
		if err := json.NewEncoder(out).Encode(b); err != nil {
			return err
		}
		if _, err := tx.WriteTo(out); err != nil {
			return err
		}
		return json.NewEncoder(w).Encode(backupSum{hex.EncodeToString(sum.Sum(nil))})
	})
}

// untilDone writes until its context ends.
type untilDone struct {
	ctx context.Context
	to  io.Writer
}

func (u *untilDone) Write(b []byte) (int, error) {
	if err := done(u.ctx); err != nil {
		return 0, err
	}
	return u.to.Write(b)
}

// CheckBackup reads a backup to its end. The error is ErrNotBackup, ErrBackupFormat or ErrBackupDamaged where it is not whole.
func CheckBackup(r io.Reader) (Backup, error) { return readBackup(r, io.Discard) }

// readBackup writes the file of a backup to body. Only where it returns no error what was written is any good.
func readBackup(r io.Reader, body io.Writer) (Backup, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	sum := sha256.New()
	b, err := readBackupHead(in, sum)
	if err != nil {
		return b, err
	}
	if _, err := io.CopyN(io.MultiWriter(body, sum), in, b.Size); errors.Is(err, io.EOF) {
		return b, ErrBackupDamaged
	} else if err != nil {
		return b, err
	}
	line, err := readBackupLine(in)
	if err != nil {
		return b, err
	}
	want, err := json.Marshal(backupSum{hex.EncodeToString(sum.Sum(nil))})
	if err != nil {
		return b, err
	}
	if _, err := in.ReadByte(); line != string(want)+"\n" || !errors.Is(err, io.EOF) {
		return b, ErrBackupDamaged
	}
	return b, nil
}

func readBackupHead(in *bufio.Reader, sum hash.Hash) (b Backup, err error) {
	line, err := readBackupLine(in)
	switch {
	case line != "" && !strings.HasPrefix(line, backupBeginning):
		return b, ErrNotBackup
	case err != nil:
		return b, err
	case json.Unmarshal([]byte(line), &b) != nil || b.Size < 0 || b.Size > math.MaxInt64/2:
		return b, ErrBackupDamaged
	case b.Format != backupFormat:
		return b, fmt.Errorf("%w (%.20q)", ErrBackupFormat, strings.TrimPrefix(b.Format, backupPrefix))
	}
	sum.Write([]byte(line))
	return b, nil
}

// readBackupLine returns what there is of a line also with an error.
func readBackupLine(in *bufio.Reader) (string, error) {
	var line strings.Builder
	for line.Len() < maxBackupLine {
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return line.String(), ErrBackupDamaged
		} else if err != nil {
			return line.String(), err
		}
		line.WriteByte(c)
		if c == '\n' {
			return line.String(), nil
		}
	}
	return line.String(), ErrBackupDamaged
}

// Restore makes the store in the file at path from a backup, and gives it a new identity: what anybody has seen of the store since the
// backup was taken says nothing of it now. Where it ages, all of it is as young as if it had just been written. A store that is there must
// not be in use, and is replaced only where replace says so; else the error is ErrExists. Until the backup was read to its end and found
// whole nothing is changed. The errors name the store.
func Restore(ctx context.Context, path string, r io.Reader, replace bool) (b Backup, identity string, err error) {
	identity = rand.Text()
	err = exchange(path, func(old *os.File, beside string) (err error) {
		if old != nil && !replace {
			return ErrExists
		}
		if b, err = unpack(ctx, r, beside); err != nil {
			return fmt.Errorf("is not restored: the backup %w", err)
		}
		return rename(beside, identity)
	})
	if err != nil {
		return b, "", fmt.Errorf("store %s %w", path, err)
	}
	return b, identity, nil
}

func unpack(ctx context.Context, r io.Reader, into string) (b Backup, err error) {
	f, err := os.OpenFile(into, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return b, err
	}
	b, err = readBackup(r, &untilDone{ctx, f})
	return b, errors.Join(err, f.Close())
}

// rename gives the store in a file that nobody has another identity, and syncs all of the file. Its ages are forgotten, so that all of
// it begins to live when a head opens it.
func rename(path, identity string) error {
	s, err := open(path)
	if err != nil {
		return err
	}
	err = s.tryUpdate(func(tx *bbolt.Tx) error { return tx.Bucket(tableMeta).Put(metaIdentity, []byte(identity)) })
	return errors.Join(err, s.db.Sync(), s.db.Close())
}
