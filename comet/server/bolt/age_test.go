package bolt_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
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
	part(s)
	require.NoError(l, s.Close())
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
