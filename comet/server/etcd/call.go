package etcd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/renci-nrig/comet-go/comet/server"
)

var (
	// ErrUnavailable is returned when etcd does not answer in time: it cannot be reached, or most of its members are missing.
	ErrUnavailable = errors.New("etcd does not answer, or has lost most of its members")
	// errQuota says what to do once etcd's database has reached its quota. The transaction with which it does is made, and answered so too.
	errQuota = fmt.Errorf("%w: etcd's database has reached its quota; compact it, defragment all members, start them with a larger quota if that is not enough, and disarm the alarm", server.ErrNoRoom)
)

const (
	firstShare = 8 // the part of a call's time that its first attempt gets; each further one gets twice as much
	retryPause = 50 * time.Millisecond
)

// callError is what a call came back with. unknown says that a transaction in it may have been made.
type callError struct {
	err     error
	unknown bool
}

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// do asks etcd, and another member where one does not answer. What is asked may be a transaction only where making it twice is
// impossible; again then tells whether an earlier attempt may have been made.
func (s *Store) do(ctx context.Context, op clientv3.Op) (response clientv3.OpResponse, again bool, err error) {
	whole, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for share := s.timeout / firstShare; ; share = min(2*share, s.timeout) {
		response, err := s.attempt(whole, share, op)
		switch {
		case err == nil:
			return response, again, s.checked(header(response))
		case ctx.Err() != nil:
			return response, again, &callError{context.Cause(ctx), true}
		case !transient(err):
			return response, again, &callError{refusal(err), again}
		}
		again = true
		if !pause(whole, retryPause) {
			return response, again, &callError{fmt.Errorf("%w: no answer in %s: %s", ErrUnavailable, s.timeout, s.reach.why(err)), true}
		}
	}
}

func (s *Store) attempt(ctx context.Context, limit time.Duration, op clientv3.Op) (clientv3.OpResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.client.Do(ctx, op)
}

// pause waits half of d or up to one and a half of it; false where ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// transient tells errors after which another member, or the same one later, may do what is asked.
func transient(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	switch code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted, codes.Unknown: // the last is a member's own deadline
		return true
	}
	return errors.Is(err, rpctypes.ErrInvalidAuthToken) // of a member that was started again
}

func refusal(err error) error {
	if errors.Is(err, rpctypes.ErrNoSpace) {
		return errQuota
	}
	return fmt.Errorf("etcd refuses it: %s", text(err))
}

func code(err error) codes.Code {
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return e.Code()
	}
	return status.Code(err)
}

// text is what etcd or gRPC say, without their prefixes. Neither quotes what it was asked.
func text(err error) string {
	if e, ok := status.FromError(err); ok {
		return e.Message()
	}
	return err.Error()
}

// checked refuses answers of another cluster than the one that the store was opened on, which some members of the URL belong to by
// mistake, or one that was restored: its revisions would be taken for ours.
func (s *Store) checked(h *etcdserverpb.ResponseHeader) error {
	if s.cluster != 0 && h.ClusterId != s.cluster {
		return &callError{fmt.Errorf("etcd answers as cluster %x and not as %x, on which the store was opened; was it restored? then start this head again", h.ClusterId, s.cluster), true}
	}
	for seen := s.seen.Load(); uint64(h.Revision) > seen && !s.seen.CompareAndSwap(seen, uint64(h.Revision)); seen = s.seen.Load() {
	}
	return nil
}

func header(r clientv3.OpResponse) *etcdserverpb.ResponseHeader {
	if t := r.Txn(); t != nil {
		return t.Header
	}
	return r.Get().Header
}
