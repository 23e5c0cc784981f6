package known_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzRestore: whatever stands where it is kept what heads said, it is taken up as what it is, of others' entries in the VM's own groups, or
// refused as a whole in one line without a word of it; nothing of it is new, and all of it is in doubt until a head has answered. Every ~ stands for a
// secret.
func FuzzRestore(f *testing.F) {
	for _, text := range []string{
		`{"context":"slice","key":"own","families":[{"family":"hostsall","missed":"2026-05-04T11:59:58Z","entries":{"a":{"value":"~"},"own":{"value":"{}"},"b":{"value":"","long":true}}},{"family":"scripts","own":true,"entries":{"own":{"value":"~"}}}]}`,
		`{"context":"slice","key":"own","families":[{"family":"","entries":{"a":{}}},{"family":"hostsother"},{"family":"hostsall","own":true,"entries":null},null]}`,
		`{"context":"slice","key":"own","families":[{"family":"hostsall","entries":{"a":{"value":"~"},"~\u0007":{"value":"~"},"":{}}}]}`, `{"context":"slice","key":"other"}`, `~`, `{"context":"~"}`, `null`,
	} {
		f.Add([]byte(text))
	}
	self := orca.UserData{
		Identity:  orca.Identity{SliceID: scope.MustName("slice", "any", "any").Context, ReservationID: scope.MustName("slice", "any", "own").Key},
		ReadToken: scope.NewToken(),
		Slice:     orca.SliceAccess{Tokens: scope.Tokens{Read: scope.NewToken()}, HostsRead: []string{"all"}},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := known.New(nil, self, known.Settings{Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		if err := c.Restore([]byte(plant.In(string(data)))); err != nil {
			plant.RequirePlain(t, err)
			require.Empty(t, c.Group(hostsAll).Peers)
		}
		answer := c.Group(hostsAll)
		require.ErrorIs(t, answer.Doubt, known.ErrUnheard)
		for _, p := range answer.Peers {
			_, err := scope.ParseKey(p.Key.String())
			require.NoError(t, err)
			require.NotEqual(t, self.ReservationID, p.Key)
		}
		require.NoError(t, c.Keep(func([]byte) error { t.Fatal("there is nothing new"); return nil }))
	})
}
