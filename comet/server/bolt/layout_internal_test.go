package bolt

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// Names come back from keys as they were, and only from keys that names make.
func FuzzKeys(f *testing.F) {
	f.Add("slice", "hostsall", "vm", []byte("\x00\x01a\x00\x01b"))
	f.Add("a", "bc", "d", []byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, context, family, key string, raw []byte) {
		if n, err := scope.NewName(context, family, key); err == nil {
			group := groupKey(n.Context, digest.Digest{1})
			whole := entryKey(group, n)
			require.True(t, bytes.HasPrefix(whole, familyKey(group, n.Family)))
			back, err := parseName(n.Context, whole[len(group):])
			require.NoError(t, err)
			require.Equal(t, n, back)
		}
		id := scope.MustName("x", "x", "x").Context
		if n, err := parseName(id, raw); err == nil {
			require.Equal(t, raw, entryKey(nil, n))
		}
	})
}

// Entries come back as they were, and only from what entries make.
func FuzzEntries(f *testing.F) {
	f.Add([]byte{1}, uint64(1), int64(1), "value", "CN=owner")
	f.Add(bytes.Repeat([]byte{1}, entryFront+1), uint64(1<<63), int64(0), "", "")
	f.Add(append(bytes.Repeat([]byte{2}, entryFront), 0, 1, 'o', 'v'), uint64(0), int64(0), "", "")
	f.Add(append(bytes.Repeat([]byte{2}, entryFront), 0, 0, 'v'), uint64(0), int64(0), "", "")
	f.Fuzz(func(t *testing.T, raw []byte, revision uint64, millis int64, value, owner string) {
		if millis >= 0 && len(owner) <= math.MaxUint16 {
			e := entry{write: digest.Digest{2}, revision: revision, modified: time.UnixMilli(millis).UTC(), owner: owner}
			back, v, err := parseEntry(e.encode(value))
			require.NoError(t, err)
			require.Equal(t, e, back)
			require.Equal(t, value, string(v))
		}
		if e, v, err := parseEntry(raw); err == nil {
			require.Equal(t, raw, e.encode(string(v)))
		}
	})
}
