package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// Store keeps entries. It judges a change and makes it in one step, so that nobody comes in between, and it never keeps a token,
// only digests. All methods may be called from many goroutines at once.
//
// What a store must do is written down as tests in package storetest.
type Store interface {
	// Identity is a random text, fixed when the store was made. Heads that share a store show the same one.
	Identity() string

	// Read returns the entry of this name under this read token; false where there is none. A wrong token and no entry are the
	// same thing, in the answer and in the work done.
	Read(ctx context.Context, name scope.Name, read scope.Token) (Entry, bool, error)

	// List returns the entries that the read token shows in the context: of one family, or of all where family is zero.
	List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (Listing, error)

	// Apply makes all of the changes or none, under one revision, and returns once they are durable, with one result for each. A
	// refusal is a *ChangeError around ErrNoEntry, ErrWriteToken, ErrOwner, ErrMayNotCreate, ErrCondition or ErrFull. After any other
	// error but ErrNoRoom it is not known whether the changes were made.
	Apply(ctx context.Context, changes ...Change) ([]Result, error)

	// Since returns what changed, of what the read token shows in the context, after a revision: entries as they are now, and the
	// names of those that went away. families narrows it; none means all. Where the store no longer knows that far back, or since
	// lies in the future, Whole is set and Entries is everything there is now.
	Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (Changes, error)

	// Watch returns a channel that gets a value after every change to what the read token shows in these families of the context
	// (none: all), made through this head or another one on the same store. Changes that come faster than they are taken are one
	// value. It is closed when ctx ends or the store does. Whoever calls Watch first and Since afterwards misses nothing.
	Watch(ctx context.Context, id scope.ContextID, read scope.Token, families ...scope.Family) (<-chan struct{}, error)

	// Close waits for changes under way and gives everything back. Whatever is called after it returns ErrClosed, but a second
	// Close returns nil.
	Close() error
}

// Entry is what a store keeps under a name and a read token.
type Entry struct {
	Name     scope.Name
	Value    string
	Revision uint64    // of the change that left it so
	Modified time.Time // when that was, to the millisecond, in UTC
}

// Listing is the entries of one moment, ordered by family and key.
type Listing struct {
	Entries  []Entry
	Revision uint64 // of the whole store at that moment
	Changed  uint64 // of the last change, removals included, to anything that the read token shows in the context
}

// Changes is what became different after a revision.
type Changes struct {
	Entries  []Entry      // ordered by family and key
	Removed  []scope.Name // ordered likewise; a name may be here that came and went since
	Revision uint64       // up to which this is complete: the since of the next call
	Whole    bool         // Entries is everything there is, and what is not in it is not there
	Empty    bool         // the read token shows nothing at all in the context, in whatever family
}

// Change is one entry to be written or removed.
type Change struct {
	Name   scope.Name
	Tokens scope.Tokens
	Value  string // what to write; of no meaning in a removal
	Delete bool   // remove instead of write

	// MayCreate says that whoever asks may create entries. Without it only what is there can be changed.
	MayCreate bool

	// Room is how many entries the read token may show in the context once this one was created; 0: any number. Where several heads
	// create at the same moment there may be a few more.
	Room int

	// Owner is who asks, where entries have owners: the owner of what this creates. A removal of what somebody else owns is refused;
	// changes are not. Empty: what is created has no owner, and whoever owns an entry does not matter. It is UTF-8 of at most
	// MaxOwner bytes.
	Owner string

	// The change is made only where the entry is as somebody saw it: at this revision, or not there at all. Zero values ask
	// nothing.
	IfRevision uint64
	IfAbsent   bool
}

// Result is what became of one change.
type Result struct {
	Created  bool   // the entry was not there before
	Changed  bool   // false where the same value was there already: nothing was written and no revision used
	Revision uint64 // of the entry now; of its removal, where it was removed
}

// Why a store refuses a change, or everything.
var (
	ErrNoEntry      = errors.New("no such entry")
	ErrWriteToken   = errors.New("the write token is not the entry's")
	ErrMayNotCreate = errors.New("no such entry, and it may not be created")
	ErrCondition    = errors.New("the entry is not as the change expects it")
	ErrOwner        = errors.New("somebody else owns the entry")
	ErrFull         = errors.New("no such entry, and there is no room for it")

	// ErrClosed is returned by every method of a store that was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrBroken is returned for changes after the disk failed one: the store takes no more until it is opened anew.
	ErrBroken = errors.New("the store takes no more changes since one failed")
	// ErrNoRoom is returned for a change that was not made because what the store stands on is full.
	ErrNoRoom = errors.New("the store has no room for changes")
)

// A ChangeError says which change of a batch was refused and why. None of the batch was made.
type ChangeError struct {
	Index int // of the change, from 0
	Err   error
}

func (e *ChangeError) Error() string { return fmt.Sprintf("change %d: %v", e.Index, e.Err) }

func (e *ChangeError) Unwrap() error { return e.Err }
