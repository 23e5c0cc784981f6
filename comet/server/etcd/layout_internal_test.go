package etcd

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
	f.Add("slice", "hostsall", "vm", "a\x00b")
	f.Add("a", "bc", "d", "x\x00"+string(bytes.Repeat([]byte{0}, digest.Size)))
	f.Fuzz(func(t *testing.T, context, family, key string, raw string) {
		if n, err := scope.NewName(context, family, key); err == nil {
			back, err := parseName(n.Context, afterGroup(n.Family, n.Key))
			require.NoError(t, err)
			require.Equal(t, n, back)
			id, read, err := parseGroup(group(n.Context, digest.Digest{0, 1}))
			require.NoError(t, err)
			require.Equal(t, n.Context, id)
			require.Equal(t, digest.Digest{0, 1}, read)
			families, err := parseFamilies([]byte(encodeFamilies([]scope.Family{n.Family, n.Family})))
			require.NoError(t, err)
			require.Equal(t, []scope.Family{n.Family, n.Family}, families)
		}
		id := scope.MustName("x", "x", "x").Context
		if n, err := parseName(id, raw); err == nil {
			require.Equal(t, raw, afterGroup(n.Family, n.Key))
		}
		if id, read, err := parseGroup(raw); err == nil {
			require.Equal(t, raw, group(id, read))
		}
		if families, err := parseFamilies([]byte(raw)); err == nil {
			require.Equal(t, raw, encodeFamilies(families))
		}
	})
}

// Entries come back as they were, and only from what entries make.
func FuzzEntries(f *testing.F) {
	f.Add([]byte{1}, uint64(1), int64(1), "value", "CN=owner")
	f.Add(bytes.Repeat([]byte{1}, entryFront+1), uint64(1<<63), int64(0), "", "")
	f.Add(append(bytes.Repeat([]byte{2}, entryFront), 0, 1, 'o', 'v'), uint64(0), int64(0), "", "")
	f.Add(append(bytes.Repeat([]byte{2}, entryFront), 0, 0, 'v'), uint64(0), int64(0), "", "")
	f.Fuzz(func(t *testing.T, raw []byte, transaction uint64, millis int64, value, owner string) {
		if millis >= 0 && len(owner) <= math.MaxUint16 {
			e := entry{write: digest.Digest{2}, modified: time.UnixMilli(millis).UTC(), transaction: transaction, owner: owner}
			back, v, err := parseEntry([]byte(e.encode(value)))
			require.NoError(t, err)
			require.Equal(t, e, back)
			require.Equal(t, value, string(v))
		}
		if e, v, err := parseEntry(raw); err == nil {
			require.Equal(t, string(raw), e.encode(string(v)))
		}
	})
}

// The layout may never change under the same number: etcd holds what an older head wrote.
func TestKeysAreLasting(t *testing.T) {
	s := Store{at: location{prefix: "/comet"}}
	n := scope.MustName("slice", "hostsall", "vm")
	d := digest.Digest(bytes.Repeat([]byte("d"), digest.Size))
	at := s.showDigest(n.Context, d)
	const dd = "dddddddddddddddddddddddddddddddd"
	require.Equal(t, "/comet/entries/slice\x00"+dd+"hostsall\x00vm", at.entries+afterGroup(n.Family, n.Key))
	require.Equal(t, "/comet/removed/slice\x00"+dd+"hostsall\x00vm", at.removed+afterGroup(n.Family, n.Key))
	require.Equal(t, "/comet/changed/slice\x00"+dd, at.changed)
	require.Equal(t, "\x01"+dd+"\x00\x00\x00\x00\x00\x00\x03\xe8\x00\x00\x00\x00\x00\x00\x00\x07value",
		entry{write: d, modified: time.Unix(1, 0), transaction: 7}.encode("value"))
}
