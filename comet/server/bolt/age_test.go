package bolt_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/storetest"
	"github.com/renci-nrig/comet-go/scope"
)

const halfYear = 180 * 24 * time.Hour

func TestStoreAges(t *testing.T) {
	dir := t.TempDir()
	storetest.RunAgeing(t, halfYear, synctest.Test, func(t *testing.T, expiry time.Duration) server.Store {
		s, err := bolt.Open(filepath.Join(dir, filepath.Base(t.Name())+".db"), bolt.WithExpiry(expiry))
		require.NoError(t, err)
		return s
	})
}

// life is one file that is opened again and again, with and without an expiry.
type life struct {
	*testing.T
	path string
}

// open opens the file for a while, in which a part of the test runs.
func (l life) open(part func(*bolt.Store), options ...bolt.Option) {
	l.Helper()
	s, err := bolt.Open(l.path, options...)
	require.NoError(l, err)
	defer func() { require.NoError(l, s.Close()) }() // or time would never end
	part(s)
}

var (
	aged       = scope.MustName("slice", "f", "k")
	agedTokens = scope.Tokens{Read: scope.MustToken("reads"), Write: scope.MustToken("writes")}
)

func (l life) write(s *bolt.Store) {
	l.Helper()
	_, err := s.Apply(l.Context(), server.Change{Name: aged, Tokens: agedTokens, Value: "1", MayCreate: true})
	require.NoError(l, err)
}

func (l life) found(s *bolt.Store) bool {
	l.Helper()
	_, found, err := s.Read(l.Context(), aged, agedTokens.Read)
	require.NoError(l, err)
	return found
}

func lifeOf(t *testing.T, test func(life)) {
	path := filepath.Join(t.TempDir(), "comet.db")
	synctest.Test(t, func(t *testing.T) { test(life{t, path}) })
}

func TestWhatWasThereBeforeAgesFromThenOn(t *testing.T) {
	lifeOf(t, func(l life) {
		l.open(func(s *bolt.Store) { l.write(s) })
		time.Sleep(10 * halfYear)
		l.open(func(s *bolt.Store) { // nobody looks, but that it is there is noted
			time.Sleep(halfYear)
		}, bolt.WithExpiry(halfYear))
		l.open(func(s *bolt.Store) { time.Sleep(halfYear + 24*time.Hour) }, bolt.WithExpiry(halfYear))
		l.open(func(s *bolt.Store) {
			time.Sleep(24 * time.Hour)
			require.False(l, l.found(s))
		}, bolt.WithExpiry(halfYear))
	})
}

func TestTimeWithoutAgeingDoesNotCount(t *testing.T) {
	lifeOf(t, func(l life) {
		l.open(func(s *bolt.Store) { l.write(s) }, bolt.WithExpiry(halfYear))
		l.open(func(s *bolt.Store) {
			time.Sleep(10 * halfYear)
			require.True(l, l.found(s))
		})
		l.open(func(s *bolt.Store) {
			time.Sleep(halfYear)
			require.True(l, l.found(s))
		}, bolt.WithExpiry(halfYear))
	})
}

// While the head was down nobody could renew: there is an hour to do so.
func TestNothingExpiresInTheFirstHour(t *testing.T) {
	lifeOf(t, func(l life) {
		l.open(func(s *bolt.Store) { l.write(s) }, bolt.WithExpiry(halfYear))
		time.Sleep(10 * halfYear)
		l.open(func(s *bolt.Store) {
			time.Sleep(time.Hour)
			require.True(l, l.found(s))
		}, bolt.WithExpiry(halfYear))
		time.Sleep(10 * halfYear)
		l.open(func(s *bolt.Store) {
			time.Sleep(time.Hour + time.Second)
			require.False(l, l.found(s), "at once, without waiting for a sweep")
		}, bolt.WithExpiry(halfYear))
	})
}

// A store that has no expiry any more still tells who comes with an old revision that all went away meanwhile.
func TestExpiryIsRemembered(t *testing.T) {
	lifeOf(t, func(l life) {
		l.open(func(s *bolt.Store) {
			l.write(s)
			time.Sleep(3 * halfYear)
		}, bolt.WithExpiry(halfYear))
		l.open(func(s *bolt.Store) {
			l.write(s)
			c, err := s.Since(l.Context(), aged.Context, agedTokens.Read, 1)
			require.NoError(l, err)
			require.True(l, c.Whole)
			require.Len(l, c.Entries, 1)
		})
	})
}

// Tools of operators come between, which do not know the expiry, and change no age.
func TestToolsKeepAges(t *testing.T) {
	lifeOf(t, func(l life) {
		l.open(func(s *bolt.Store) { l.write(s) }, bolt.WithExpiry(halfYear))
		for range 3 {
			time.Sleep(halfYear)
			l.open(func(s *bolt.Store) {
				require.True(l, l.found(s))
				require.NoError(l, s.Export(l.Context(), io.Discard))
			}, bolt.KeepingAges())
		}
		l.open(func(s *bolt.Store) {
			time.Sleep(2 * time.Hour)
			require.False(l, l.found(s))
		}, bolt.WithExpiry(halfYear))

		l.open(func(s *bolt.Store) { l.write(s) }, bolt.WithExpiry(halfYear))
		time.Sleep(10 * halfYear)
		other := server.Change{Name: aged, Tokens: agedTokens, Value: "2"}
		l.open(func(s *bolt.Store) {
			_, err := s.Apply(l.Context(), other)
			require.NoError(l, err)
		}, bolt.KeepingAges())
		l.open(func(s *bolt.Store) {
			time.Sleep(halfYear)
			require.True(l, l.found(s), "it was written when a tool wrote it")
		}, bolt.WithExpiry(halfYear))
	})
}

// export writes an export of the store and opens it.
func (l life) export(s *bolt.Store) *contents.File {
	path := filepath.Join(l.TempDir(), "export")
	var b bytes.Buffer
	require.NoError(l, s.Export(l.Context(), &b))
	require.NoError(l, os.WriteFile(path, b.Bytes(), 0o600))
	f, err := contents.Open(path, nil)
	require.NoError(l, err)
	return f
}

// What is imported is young, whether it was there or not; what else is in the store is as old as before.
func TestImportsGiveLife(t *testing.T) {
	lifeOf(t, func(l life) {
		var first, both *contents.File
		other := agedTokens
		other.Read = scope.MustToken("reads too")
		l.open(func(s *bolt.Store) {
			l.write(s)
			first = l.export(s)
			_, err := s.Apply(l.Context(), server.Change{Name: aged, Tokens: other, Value: "1", MayCreate: true})
			require.NoError(l, err)
			both = l.export(s)
		}, bolt.WithExpiry(halfYear))
		defer first.Close()
		defer both.Close()

		time.Sleep(10 * halfYear)
		did, err := bolt.Import(l.Context(), l.path, first)
		require.NoError(l, err)
		require.Equal(l, contents.Imported{Entries: 1, Kept: 1}, did)
		there := func(read scope.Token, after time.Duration) (found bool) {
			l.open(func(s *bolt.Store) {
				time.Sleep(after)
				_, found, err = s.Read(l.Context(), aged, read)
				require.NoError(l, err)
			}, bolt.WithExpiry(halfYear))
			return found
		}
		require.False(l, there(other.Read, 2*time.Hour))
		require.True(l, there(agedTokens.Read, halfYear))

		did, err = bolt.Import(l.Context(), l.path, both)
		require.NoError(l, err)
		require.Equal(l, contents.Imported{Entries: 2, Added: 1, Kept: 1}, did)
		require.True(l, there(other.Read, halfYear), "its time of change is long ago, but it was imported now")
		require.False(l, there(other.Read, 3*halfYear))
	})
}

func TestRestoredStoresAreYoung(t *testing.T) {
	lifeOf(t, func(l life) {
		var taken bytes.Buffer
		l.open(func(s *bolt.Store) {
			l.write(s)
			require.NoError(l, s.Backup(l.Context(), &taken))
		}, bolt.WithExpiry(halfYear))
		time.Sleep(10 * halfYear)
		_, _, err := bolt.Restore(l.Context(), l.path, &taken, true)
		require.NoError(l, err)
		l.open(func(s *bolt.Store) {
			time.Sleep(halfYear)
			require.True(l, l.found(s))
			time.Sleep(3 * halfYear)
			require.False(l, l.found(s))
		}, bolt.WithExpiry(halfYear))
	})
}

// What an operator purged leaves removals, for those who watch, until its time is over.
func TestPurgedEntriesLeaveNothingInTheEnd(t *testing.T) {
	lifeOf(t, func(l life) {
		l.open(func(s *bolt.Store) {
			l.write(s)
			n, err := s.Purge(l.Context(), aged.Context, time.Now())
			require.NoError(l, err)
			require.Equal(l, 1, n)
			require.Len(l, s.Changes(aged.Context, agedTokens.Read, 0), 1)
			time.Sleep(3 * halfYear)
			require.Empty(l, s.Changes(aged.Context, agedTokens.Read, 0))
			require.Zero(l, s.Rows("renewed"))
			require.Zero(l, s.Rows("removed"))
		}, bolt.WithExpiry(halfYear))
	})
}

// On a disk that fails what is old can still be read, and what expired is not taken for absent.
func TestAgeingOnABrokenDisk(t *testing.T) {
	lifeOf(t, func(l life) {
		s, err := bolt.Open(l.path, bolt.WithExpiry(halfYear))
		require.NoError(l, err)
		l.write(s)
		time.Sleep(halfYear + time.Hour)
		s.BreakDisk()
		require.True(l, l.found(s))
		require.True(l, l.found(s))
		time.Sleep(2 * halfYear)
		_, _, err = s.Read(l.Context(), aged, agedTokens.Read)
		require.ErrorIs(l, err, server.ErrBroken)
		_ = s.Close() // the file is closed already
	})
}

// By a clock that is set ahead everything seems to have been left alone for long; those who look have the time to say otherwise.
func TestAClockThatIsSet(t *testing.T) {
	lifeOf(t, func(l life) {
		var ahead atomic.Int64
		opened := time.Now()
		clock := bolt.WithClock(
			func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			func() time.Duration { return time.Since(opened) })
		l.open(func(s *bolt.Store) {
			l.write(s)
			time.Sleep(2 * time.Hour)
			for _, to := range []time.Duration{10 * halfYear, 0, -10 * halfYear, 0, 10 * halfYear} {
				ahead.Store(int64(to))
				time.Sleep(59 * time.Minute) // in which sweeps look, too
				require.True(l, l.found(s), "set to %s", to)
				time.Sleep(halfYear)
				require.True(l, l.found(s), "kept since it was set to %s", to)
			}
			l.found(s)
			ahead.Store(int64(-10 * halfYear))
			require.True(l, l.found(s), "as by a machine that starts with a wrong clock")
			ahead.Store(0)
			time.Sleep(2 * time.Hour)
			require.True(l, l.found(s), "looked at two hours ago")
			time.Sleep(2*halfYear + time.Hour)
			require.False(l, l.found(s), "left alone")
		}, bolt.WithExpiry(halfYear), clock)
	})
}
