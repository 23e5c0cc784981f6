package faulttest

import (
	"context"
	"sync"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// Store is a store that is closed and opened again under its heads, as when their program is started anew. While it is closed, calls
// fail with server.ErrClosed. Safe for concurrent use.
type Store struct {
	open func() (server.Store, error)

	mu  sync.Mutex
	now server.Store
}

// Open opens a store by a function that is used again each time.
func Open(open func() (server.Store, error)) (*Store, error) {
	now, err := open()
	return &Store{open: open, now: now}, err
}

// Now is the store that is open, or was last.
func (s *Store) Now() server.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Reopen opens it again, after Close.
func (s *Store) Reopen() error {
	now, err := s.open()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
	return nil
}

// The methods of server.Store.

func (s *Store) Identity() string { return s.Now().Identity() }

func (s *Store) Read(ctx context.Context, name scope.Name, read scope.Token) (server.Entry, bool, error) {
	return s.Now().Read(ctx, name, read)
}

func (s *Store) List(ctx context.Context, id scope.ContextID, read scope.Token, family scope.Family) (server.Listing, error) {
	return s.Now().List(ctx, id, read, family)
}

func (s *Store) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	return s.Now().Apply(ctx, changes...)
}

func (s *Store) Since(ctx context.Context, id scope.ContextID, read scope.Token, since uint64, families ...scope.Family) (server.Changes, error) {
	return s.Now().Since(ctx, id, read, since, families...)
}

func (s *Store) Watch(ctx context.Context, id scope.ContextID, read scope.Token, families ...scope.Family) (<-chan struct{}, error) {
	return s.Now().Watch(ctx, id, read, families...)
}

// Close closes the store that is open.
func (s *Store) Close() error { return s.Now().Close() }

// Restarts is the fault of a program on a store that ends and comes back.
func (s *Store) Restarts(failed func(error)) Fault {
	must := func(err error) {
		if err != nil {
			failed(err)
		}
	}
	return Fault{Name: "is closed", Strike: func() { must(s.Close()) }, Mend: func() { must(s.Reopen()) }}
}
