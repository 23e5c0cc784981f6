package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/comet/server/internal/wake"
)

// Store is a [server.Store] below a prefix of an etcd cluster. Its methods may be called from many goroutines at once.
type Store struct {
	at      location
	client  *clientv3.Client
	reach   *reach
	timeout time.Duration
	log     *slog.Logger

	existing bool // it is not made where it is not there
	identity string
	cluster  uint64 // ID of the cluster that the store was opened on
	made     uint64 // etcd's revision in which the store was made: our revision 0
	digests  digest.Key

	seen     atomic.Uint64 // etcd's newest revision of which an answer told
	turns    turns
	watchers wake.Hub
	sinces   flights[server.Changes]
	ages     ages

	mu     sync.Mutex
	closed bool           // no more calls are taken
	calls  sync.WaitGroup // under way
	close  func() error
}

var _ server.Store = (*Store)(nil)

// Open opens the store at a URL such as etcd://h1:2379,h2:2379,h3:2379/comet, or makes it where there is nothing below the prefix.
// Several heads may do so at the same moment. What is wrong with the URL is an ErrURL; a prefix that holds something else is refused
// with ErrNotStore, ErrFormat or ErrUnfinished, and without an answer of etcd the error is ErrUnavailable. No error holds a password.
// The caller closes the store.
func Open(ctx context.Context, url string, options ...Option) (*Store, error) {
	s, err := connect(ctx, url, options)
	if err != nil {
		return nil, err
	}
	next, err := s.load(ctx, !s.existing)
	if err != nil {
		s.client.Close()
		return nil, fmt.Errorf("store %s: %w", s.at, err)
	}
	following, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.follow(following, next) })
	if s.ages.expiry > 0 {
		running.Go(func() { s.sweep(following) })
	}
	s.close = sync.OnceValue(func() error {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.calls.Wait()
		stop()
		running.Wait()
		s.watchers.Close()
		return s.client.Close()
	})
	return s, nil
}

// connect makes the connection to etcd, and asks nothing yet.
func connect(ctx context.Context, url string, options []Option) (*Store, error) {
	set := settings{timeout: DefaultTimeout, log: slog.New(slog.DiscardHandler)}
	for _, o := range options {
		o(&set)
	}
	at, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	s := &Store{at: at, timeout: set.timeout, log: set.log, existing: set.existing, reach: &reach{tlsFor: set.tlsFor}}
	s.sinces.start = s.calls.Go
	s.ages.expiry = set.expiry
	if s.client, err = dial(ctx, at, set, s.reach); err != nil {
		return nil, fmt.Errorf("store %s: %w", at, err)
	}
	return s, nil
}

// Identity is the random text that the store got when it was made, and the ID of the cluster: one that was restored from a snapshot is
// another, whose revisions say nothing of those before.
func (s *Store) Identity() string { return fmt.Sprintf("%s-%x", s.identity, s.cluster) }

// Format prints where the store is, for every verb: fmt would find the password in it.
func (s *Store) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "etcd.Store(%s)", s.at) }

// Close waits for the calls under way and ends all connections.
func (s *Store) Close() error { return s.close() }

// enter begins a call, which ends with leave.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, server.ErrClosed
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}

// failed is the error of a call that was entered.
func (s *Store) failed(doing string, err error) error {
	return fmt.Errorf("store %s: %s: %w", s.at, doing, err)
}

func done(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// revision turns one of etcd's into ours.
func (s *Store) revision(etcds int64) uint64 { return uint64(max(etcds-int64(s.made), 0)) }

func (s *Store) key(parts ...string) string {
	key := s.at.prefix + "/"
	for _, p := range parts {
		key += p
	}
	return key
}

// What is wrong with a place that Open refuses. The errors around them say where it is.
var (
	ErrURL      = errors.New("no URL of a store")
	ErrNotStore = errors.New("below the prefix is something else than a store of cometd")
	ErrFormat   = errors.New("the store has a format that this version does not know")
	ErrNoStore  = errors.New("there is nothing below the prefix")
)
