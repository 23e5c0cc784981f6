package bolt_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

// metaPages are the first two of the file, which are written and synced after all others of a change.
const metaPages = 2

// When power is lost while a change is written, the disk has what the last sync left and any of the pages that came after it: it
// keeps no order among them. The two pages that say where everything is are written after a sync of all others, so the new ones
// come with all the rest or not at all.
func TestLossOfPowerLosesNothingAcknowledged(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "comet.db")
	s := open(t, path)
	acknowledged := map[string]string{}
	different := 0
	for round := range 40 {
		before, synced := maps.Clone(acknowledged), content(t, path)
		change(t, s, random, round, acknowledged)
		after := content(t, path)
		different += len(changedPages(synced, after))
		for range 8 {
			requireStore(t, withSome(random, synced, after), before)
		}
		requireStore(t, withAll(synced, after), before)
		requireStore(t, after, acknowledged)
	}
	require.Greater(t, different, 200, "the changes changed hardly a page")
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// change makes one batch: new entries, changed ones and removals, small and large.
func change(t *testing.T, s *bolt.Store, random *rand.Rand, round int, entries map[string]string) {
	t.Helper()
	var changes []server.Change
	for range 1 + random.IntN(12) {
		key := fmt.Sprintf("vm-%d", random.IntN(60))
		if containsKey(changes, key) {
			continue
		}
		c := server.Change{Name: scope.MustName("slice", "hostsall", key), Tokens: tokens, MayCreate: true}
		if _, there := entries[key]; there && random.IntN(3) == 0 {
			c.Delete = true
			delete(entries, key)
		} else {
			c.Value = fmt.Sprintf("%s in round %d %s", key, round, strings.Repeat("x", random.IntN(9000)))
			entries[key] = c.Value
		}
		changes = append(changes, c)
	}
	_, err := s.Apply(t.Context(), changes...)
	require.NoError(t, err)
}

func containsKey(changes []server.Change, key string) bool {
	for _, c := range changes {
		if c.Name.Key.String() == key {
			return true
		}
	}
	return false
}

// changedPages are the numbers of the pages behind the metas that differ, those that only the later file has included.
func changedPages(synced, after []byte) (pages []int) {
	for i := metaPages; i < len(after)/pageSize; i++ {
		if (i+1)*pageSize > len(synced) || !bytes.Equal(page(synced, i), page(after, i)) {
			pages = append(pages, i)
		}
	}
	return pages
}

func page(file []byte, i int) []byte { return file[i*pageSize : (i+1)*pageSize] }

// withSome is the synced file with some of the later pages. The file grows, and is synced, before pages are written behind its end.
func withSome(random *rand.Rand, synced, after []byte) []byte {
	file := append(bytes.Clone(synced), make([]byte, max(0, len(after)-len(synced)))...)
	for _, i := range changedPages(synced, after) {
		if random.IntN(2) == 0 {
			copy(page(file, i), page(after, i))
		}
	}
	return file
}

// withAll has all later pages but for the metas.
func withAll(synced, after []byte) []byte {
	return append(bytes.Clone(synced[:metaPages*pageSize]), after[metaPages*pageSize:]...)
}

// requireStore opens a file with these bytes, and finds these entries and nothing else; then it can be changed.
func requireStore(t *testing.T, file []byte, entries map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "comet.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	s, err := bolt.Open(path)
	require.NoError(t, err)
	l, err := s.List(t.Context(), name.Context, tokens.Read, scope.Family{})
	require.NoError(t, err)
	found := map[string]string{}
	for _, e := range l.Entries {
		found[e.Name.Key.String()] = e.Value
	}
	require.Equal(t, entries, found)
	put(t, s, "after", "the loss of power")
	require.NoError(t, s.Close())
	require.NoError(t, os.Remove(path))
}
