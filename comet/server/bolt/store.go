package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
)

// lockWait is how long Open waits for another process to let go of the file: long enough for one that is just ending.
const lockWait = 2 * time.Second

// Store is a [server.Store] in one file. Its methods may be called from many goroutines at once.
type Store struct {
	db       *bbolt.DB
	file     *os.File // bbolt's own
	identity string
	digests  digest.Key

	watchers wake.Hub
	crowds   crowds
	ageing   ageing
	clock    *clock

	queue   chan *request
	broken  atomic.Pointer[error] // why changes are refused, once they are
	closing chan struct{}         // closed when no more changes are taken
	stopped chan struct{}         // closed when the last one was answered

	sweeping sync.WaitGroup
	close    func() error
}

var _ server.Store = (*Store)(nil)

// Option changes how Open opens a store.
type Option func(*Store)

// WithExpiry takes away what nobody reads or writes any more: all that one read token shows in a context goes together, once it was
// left alone for longer than expiry and at the latest after twice that, but never in the first hour after the store was opened or the
// machine's clock was set, or the time of the expiry where that is shorter. Without it everything stays.
func WithExpiry(expiry time.Duration) Option {
	return func(s *Store) { s.ageing = ageing{expiry: expiry} }
}

// KeepingAges is for tools that open a store for a moment, whether it ages or not: nothing expires, reading renews nothing, what is
// written is as young as if a head had written it, and whoever opens the store WithExpiry next finds all ages as they were. Opened
// without either, as by a head that has nothing age, a store forgets them.
func KeepingAges() Option { return func(s *Store) { s.ageing = ageing{kept: true} } }

// WithClock is for tests in which the clock is set: now tells the time of day, time.Now by default, and elapsed what has passed since
// some moment, which nobody sets. Both may be called from many goroutines at once.
func WithClock(now func() time.Time, elapsed func() time.Duration) Option {
	return func(s *Store) { s.clock = newClock(now, elapsed) }
}

// Open opens the store in the file at path, or makes it where there is no file, with mode 0600. A file that is something else, has
// another format, is cut off or is in use is refused with ErrNotStore, ErrFormat, ErrDamaged or ErrInUse, and left as it is. The
// caller closes the store.
func Open(path string, options ...Option) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, fmt.Errorf("make store %s: %w", path, err)
		}
	}
	s, err := open(path, options...)
	if err != nil {
		return nil, fmt.Errorf("store %s %w", path, err)
	}
	go s.commitAll()
	if s.ageing.expiry > 0 {
		s.sweeping.Go(s.sweep)
	}
	return s, nil
}

func open(path string, options ...Option) (*Store, error) {
	db, file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db:      db,
		file:    file,
		crowds:  crowds{},
		clock:   machineClock(),
		queue:   make(chan *request, maxGroup),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	for _, o := range options {
		o(s)
	}
	if err := s.loadMeta(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.prepareAgeing(); err != nil && !errors.Is(err, errNothing) {
		return nil, errors.Join(fmt.Errorf("cannot be changed: %w", err), db.Close())
	}
	s.close = sync.OnceValue(func() error {
		close(s.closing)
		<-s.stopped
		s.sweeping.Wait()
		s.watchers.Close()
		return db.Close()
	})
	return s, nil
}

// openFile opens an existing file. While it waits for the lock a restore may give the name to another file.
func openFile(path string) (*bbolt.DB, *os.File, error) {
	for {
		db, f, err := openOnce(path)
		if err != nil || isAt(f, path) {
			return db, f, err
		}
		if err := db.Close(); err != nil {
			return nil, nil, err
		}
	}
}

// openOnce gives an existing file to bbolt once it was looked at.
func openOnce(path string) (*bbolt.DB, *os.File, error) {
	var f *os.File
	db, err := openBolt(path, func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
		if f, err = os.OpenFile(path, flag&^os.O_CREATE, mode); err != nil {
			return nil, err
		}
		return f, checkFile(f)
	})
	if err == nil {
		return db, f, nil
	}
	if f != nil {
		f.Close() // and with it the lock; bbolt may have done so already
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, nil, ErrInUse
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, nil, fmt.Errorf("cannot be opened: %w", pathErr.Err)
	}
	return nil, nil, err
}

func openBolt(path string, open func(string, int, os.FileMode) (*os.File, error)) (db *bbolt.DB, err error) {
	defer guard(&err)()
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockWait,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     open,
	})
}

// loadMeta makes sure that the file is ours and takes from it what never changes.
func (s *Store) loadMeta() error {
	return s.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(tableMeta)
		if meta == nil {
			return ErrNotStore
		}
		if err := checkFormat(string(meta.Get(metaFormat))); err != nil {
			return err
		}
		for _, name := range [][]byte{tableEntries, tableRemoved, tableChanges} {
			if tx.Bucket(name) == nil {
				return ErrDamaged
			}
		}
		var err error
		s.identity = string(meta.Get(metaIdentity))
		if s.digests, err = digest.ParseKey(meta.Get(metaDigests)); err != nil || s.identity == "" {
			return ErrDamaged
		}
		_, err = parseRevision(meta.Get(metaRevision))
		return err
	})
}

// Identity is the random text that the file got when it was made.
func (s *Store) Identity() string { return s.identity }

// Format prints where the store is, for every verb: fmt would find the mapped file in it, with all values.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "bolt.Store(%s)", s.db.Path()) }

// Close makes the changes that wait, closes the file and unlocks it.
func (s *Store) Close() error { return s.close() }

func (s *Store) view(read func(*bbolt.Tx) error) (err error) {
	defer guard(&err)()
	if err = s.db.View(read); errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return server.ErrClosed
	}
	return err
}

func done(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
