package etcd

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
)

// load takes from the store what never changes, after making it, where it may, when there is none. It returns the revision of etcd from
// which on changes are to be followed.
func (s *Store) load(ctx context.Context, mayMake bool) (next int64, err error) {
	look := s.lookAtMeta()
	r, _, err := s.do(ctx, look)
	if err != nil {
		return 0, err
	}
	if nothing(r.Txn()) {
		if !mayMake {
			return 0, ErrNoStore
		}
		if err := s.create(ctx); err != nil {
			return 0, err
		}
		if r, _, err = s.do(ctx, look); err != nil {
			return 0, err
		}
	}
	return r.Txn().Header.Revision + 1, s.parseMeta(r.Txn())
}

func (s *Store) lookAtMeta() clientv3.Op {
	return clientv3.OpTxn(nil, []clientv3.Op{
		clientv3.OpGet(s.key(formatKey)),
		clientv3.OpGet(s.key(identityKey)),
		clientv3.OpGet(s.key(digestsKey)),
		clientv3.OpGet(s.key(), clientv3.WithPrefix(), clientv3.WithLimit(1), clientv3.WithKeysOnly()),
	}, nil)
}

func nothing(look *clientv3.TxnResponse) bool {
	return look.Responses[3].GetResponseRange().Count == 0
}

// create makes the store, unless somebody else is faster, whose store it then is.
func (s *Store) create(ctx context.Context) error {
	_, _, err := s.do(ctx, clientv3.OpTxn(
		[]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(s.key(formatKey)), "=", 0)},
		[]clientv3.Op{
			clientv3.OpPut(s.key(formatKey), format),
			clientv3.OpPut(s.key(identityKey), rand.Text()),
			clientv3.OpPut(s.key(digestsKey), string(digest.NewKey().Bytes())),
		}, nil))
	if err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	return nil
}

func (s *Store) parseMeta(look *clientv3.TxnResponse) error {
	var found [3]string
	for i := range found {
		for _, kv := range look.Responses[i].GetResponseRange().Kvs {
			found[i] = string(kv.Value)
			if i == 0 {
				s.made = uint64(kv.CreateRevision)
			}
		}
	}
	if err := checkFormat(found[0]); err != nil {
		return err
	}
	var err error
	s.identity, s.cluster = found[1], look.Header.ClusterId
	if s.digests, err = digest.ParseKey([]byte(found[2])); err != nil || s.identity == "" {
		return fmt.Errorf("%w: %s or %s", errDamaged, s.key(identityKey), s.key(digestsKey))
	}
	return nil
}

func checkFormat(found string) error {
	number, ours := strings.CutPrefix(found, formatPrefix)
	switch {
	case found == format:
		return nil
	case strings.HasPrefix(found, unfinished):
		return ErrUnfinished
	case ours:
		return fmt.Errorf("%w (%q)", ErrFormat, number)
	}
	return ErrNotStore
}
