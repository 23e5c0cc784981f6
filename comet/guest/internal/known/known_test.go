package known_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slice is a slice on a real head.
type slice struct {
	*testing.T
	heads  *comettest.Heads
	client *comet.Client
	tokens scope.Tokens
	unit   scope.Tokens
}

func newSlice(t *testing.T, options ...server.Option) *slice {
	t.Helper()
	heads := comettest.Start(t, 1, options...)
	client := heads.Client(comet.WithAttemptTimeout(time.Second), comet.WithRest(time.Millisecond, time.Millisecond))
	return &slice{t, heads, client, scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}, scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}}
}

func (s *slice) put(family, key, value string) {
	s.Helper()
	tokens := s.tokens
	if family == "users" || family == "scripts" {
		tokens = s.unit
	}
	_, err := s.client.Write(s.Context(), scope.MustName("slice", family, key), tokens, []byte(value))
	require.NoError(s, err)
}

func (s *slice) remove(family, key string) {
	s.Helper()
	require.NoError(s, s.client.Delete(s.Context(), scope.MustName("slice", family, key), s.tokens))
}

func (s *slice) userData() orca.UserData {
	return orca.UserData{
		Identity:  orca.Identity{SliceID: scope.MustName("slice", "any", "any").Context, ReservationID: scope.MustName("slice", "any", "own").Key, HostName: "own"},
		CometHost: s.heads.List(),
		ReadToken: s.unit.Read,
		Slice:     orca.SliceAccess{Tokens: s.tokens, HostsRead: []string{"all"}, HostsWrite: []string{"all"}},
	}
}

// every is longer than a test, unless it says otherwise: what needs a second answer later then stays.
func (s *slice) know(self orca.UserData, every time.Duration) *known.Context {
	s.Helper()
	c, err := known.New(s.client, self, known.Settings{Every: every, Log: slog.New(slog.DiscardHandler)})
	require.NoError(s, err)
	return c
}

var hostsAll = scope.MustName("slice", "hostsall", "x").Family

func peers(a known.Answer) (keys []string) {
	for _, p := range a.Peers {
		keys = append(keys, p.Key.String()+"="+string(p.Value))
	}
	return keys
}

func TestNothingIsKnownBeforeAnAnswer(t *testing.T) {
	s := newSlice(t)
	c := s.know(s.userData(), time.Hour)
	a := c.Group(hostsAll)
	assert.EqualError(t, a.Doubt, "no head has told anything yet")
	assert.False(t, a.Settled)
	_, there := c.Own(hostsAll)
	assert.False(t, there)
	_, err := known.Wanted[scope.User](c, scope.FamilyUsers)()
	assert.ErrorIs(t, err, frame.ErrUnknown)
}

func TestTheOutcomesOfAnAnswer(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "own", "{}")
	s.put("hostsall", "b", `{"b":1}`)
	s.put("hostsall", "a", `{"a":1}`)
	c := s.know(s.userData(), time.Hour)
	require.NoError(t, c.Ask(t.Context()))
	a := c.Group(hostsAll)
	require.NoError(t, a.Doubt)
	assert.Equal(t, []string{`a={"a":1}`, `b={"b":1}`}, peers(a))
	turn := c.Turn()

	t.Run("absent", func(t *testing.T) { // of the VM's own entries
		_, there := c.Own(scope.FamilyUsers)
		assert.False(t, there)
	})
	for name, fault := range map[string]comettest.Fault{"invisible": comettest.Empty(), "failed": comettest.Status(500), "refused": comettest.Status(403)} {
		t.Run(name, func(t *testing.T) {
			s.heads.Set(0, fault)
			err := c.Ask(t.Context())
			a := c.Group(hostsAll)
			assert.Equal(t, []string{`a={"a":1}`, `b={"b":1}`}, peers(a), "nothing is lost")
			assert.NotEqual(t, turn, c.Turn())
			_, failing := c.Failing()
			if name == "invisible" {
				require.NoError(t, err)
				require.NoError(t, failing)
				assert.ErrorContains(t, a.Doubt, "nothing of this VM itself")
				families, why := c.Doubts()
				assert.Equal(t, []scope.Family{hostsAll}, families)
				assert.Equal(t, a.Doubt, why[0])
				return
			}
			require.Error(t, err)
			assert.Equal(t, err, failing)
		})
	}
	s.heads.Set(0)
	require.NoError(t, c.Ask(t.Context()))
	require.NoError(t, c.Group(hostsAll).Doubt)
	heard, failing := c.Failing()
	require.NoError(t, failing)
	assert.WithinDuration(t, time.Now(), heard, time.Minute)
}

func TestAGroupThatIsOnlyReadNeverShrinksToNothing(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "a", "{}")
	self := s.userData()
	self.Slice.HostsWrite = nil
	c := s.know(self, time.Nanosecond)
	require.NoError(t, c.Ask(t.Context()))
	require.NoError(t, c.Group(hostsAll).Doubt)
	s.remove("hostsall", "a")
	for range 3 {
		require.NoError(t, c.Ask(t.Context()))
		a := c.Group(hostsAll)
		assert.ErrorContains(t, a.Doubt, "as it does for a wrong read token")
		assert.Len(t, a.Peers, 1)
	}
}

// What is missing is gone when a second answer misses it too, one interval later and no sooner.
func TestLossesNeedTwoAnswers(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "own", "{}")
	s.put("hostsall", "a", "{}")
	soon, late := s.know(s.userData(), time.Nanosecond), s.know(s.userData(), time.Hour)
	ask := func() {
		require.NoError(t, soon.Ask(t.Context()))
		require.NoError(t, late.Ask(t.Context()))
	}
	ask()
	assert.False(t, soon.Group(hostsAll).Settled, "what stood on the machine's disk before may be missing")
	ask()
	assert.True(t, soon.Group(hostsAll).Settled)
	assert.False(t, late.Group(hostsAll).Settled)

	s.remove("hostsall", "a")
	ask()
	assert.False(t, soon.Group(hostsAll).Settled)
	assert.True(t, soon.Unsettled())
	ask()
	assert.True(t, soon.Group(hostsAll).Settled)
	assert.False(t, soon.Unsettled())
	ask()
	assert.False(t, late.Group(hostsAll).Settled, "an hour is not over")

	s.put("hostsall", "a", "{}")
	ask()
	assert.True(t, soon.Group(hostsAll).Settled, "what comes back is no loss")
}

// follow follows until so, and then ends.
func follow(t *testing.T, c *known.Context, changed <-chan struct{}, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- c.Follow(ctx) }()
	for !so() {
		select {
		case <-changed:
		case <-ctx.Done():
			require.FailNow(t, "waited in vain")
		}
	}
	cancel()
	require.NoError(t, <-ended)
}

func (s *slice) knowing(every time.Duration) (*known.Context, <-chan struct{}) {
	s.Helper()
	changed := make(chan struct{}, 1)
	c, err := known.New(s.client, s.userData(), known.Settings{Every: every, Log: slog.New(slog.DiscardHandler), Changed: func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}})
	require.NoError(s, err)
	return c, changed
}

// A head that tells of a removal is believed at once.
func TestToldRemovalsAreBelieved(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "own", "{}")
	s.put("hostsall", "a", "{}")
	c, changed := s.knowing(time.Millisecond)
	removed := false
	follow(t, c, changed, func() bool {
		a := c.Group(hostsAll)
		if !removed && len(a.Peers) == 1 && a.Settled {
			removed = true
			s.remove("hostsall", "a")
		}
		return removed && len(a.Peers) == 0
	})
	assert.True(t, c.Group(hostsAll).Settled)
}

// A head that was away and tells nothing new when it comes back is heard all the same.
func TestAHeadThatAnswersIsHeard(t *testing.T) {
	for name, options := range map[string][]server.Option{"told": nil, "asking": {server.WithoutExtensions()}} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t, options...)
			s.put("hostsall", "own", `{"val_":"[]"}`)
			c, changed := s.knowing(10 * time.Millisecond)
			stage := 0
			follow(t, c, changed, func() bool {
				_, failing := c.Failing()
				switch {
				case stage == 0 && c.Group(hostsAll).Settled:
					stage++
					s.heads.Stop(0)
				case stage == 1 && failing != nil:
					stage++
					s.heads.Restart(0)
				case stage == 2 && failing == nil:
					return true
				}
				return false
			})
		})
	}
}

func TestValuesThatAreTooLongAreNotKept(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "own", "{}")
	s.put("hostsall", "long", strings.Repeat("x", known.MaxValue+1))
	s.put("hostsall", "most", strings.Repeat("x", known.MaxValue))
	s.put("users", "own", strings.Repeat(" ", known.MaxValue+1)+`{"val_":"[]"}`)
	c := s.know(s.userData(), time.Hour)
	require.NoError(t, c.Ask(t.Context()))
	a := c.Group(hostsAll)
	require.Len(t, a.Peers, 2)
	assert.Nil(t, a.Peers[0].Value)
	assert.Len(t, a.Peers[1].Value, known.MaxValue)
	w, err := known.Wanted[scope.User](c, scope.FamilyUsers)()
	require.NoError(t, err, "what is for the VM alone may be as long as heads take")
	assert.True(t, w.Whole)
}

func TestWhatIsKeptHoldsUntilHeadsSayMore(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "own", "{}")
	s.put("hostsall", "a", `{"a":1}`)
	s.put("hostsall", "long", strings.Repeat("x", known.MaxValue+1))
	s.put("scripts", "own", `{"val_":"[{\"scriptName\":\"s\",\"scriptBody\":\"b\"}]"}`)
	c := s.know(s.userData(), time.Hour)
	var data []byte
	save := func(what []byte) error { data = what; return nil }
	require.NoError(t, c.Keep(save))
	assert.Nil(t, data)
	require.NoError(t, c.Ask(t.Context()))
	full := errors.New("no space left on device")
	require.ErrorIs(t, c.Keep(func([]byte) error { return full }), full)
	require.NoError(t, c.Keep(save))
	require.NotNil(t, data, "it is tried again")
	require.NoError(t, c.Keep(func([]byte) error { return errors.New("it is saved already") }))

	again := s.know(s.userData(), time.Hour)
	require.NoError(t, again.Restore(data))
	a := again.Group(hostsAll)
	assert.Equal(t, []string{`a={"a":1}`, "long="}, peers(a))
	assert.Nil(t, a.Peers[1].Value)
	assert.Error(t, a.Doubt, "no head has said so")
	w, err := known.Wanted[scope.Script](again, scope.FamilyScripts)()
	require.NoError(t, err)
	assert.Equal(t, "s", w.Elements[0].Name)

	s.remove("hostsall", "a")
	require.NoError(t, again.Ask(t.Context()))
	assert.False(t, again.Group(hostsAll).Settled, "what was known before is missing")

	other := s.userData()
	other.ReservationID = scope.MustName("slice", "any", "other").Key
	badKey := strings.Replace(string(data), `"long":{`, `"":{`, 1)
	require.NotEqual(t, string(data), badKey)
	for _, bad := range []string{"", "{", "[]", string(data[:len(data)/2]), badKey} {
		c := s.know(s.userData(), time.Hour)
		assert.ErrorIs(t, c.Restore([]byte(bad)), known.ErrNotKept)
		assert.Equal(t, known.Answer{Doubt: known.ErrUnheard}, c.Group(hostsAll), "nothing of it is taken")
	}
	assert.ErrorIs(t, s.know(other, time.Hour).Restore(data), known.ErrNotKept, "a clone is another VM")
}

// That something is missing may have been kept when the clock was ahead.
func TestWhatIsMissedByAClockThatIsSetBack(t *testing.T) {
	s := newSlice(t)
	s.put("hostsall", "own", "{}")
	c := s.know(s.userData(), time.Hour)
	require.NoError(t, c.Ask(t.Context()))
	require.False(t, c.Group(hostsAll).Settled, "nobody knows what there was")
	var data []byte
	require.NoError(t, c.Keep(func(what []byte) error { data = what; return nil }))
	missed := regexp.MustCompile(`"missed":"[^"]*"`)
	require.Regexp(t, missed, string(data))
	data = missed.ReplaceAll(data, []byte(`"missed":"`+time.Now().Add(5*time.Hour).Format(time.RFC3339Nano)+`"`))

	again := s.know(s.userData(), time.Millisecond)
	require.NoError(t, again.Restore(data))
	require.Eventually(t, func() bool {
		require.NoError(t, again.Ask(t.Context()))
		return again.Group(hostsAll).Settled
	}, 20*time.Second, time.Millisecond)
}

// A bad element is left out, named, and is a reason to withdraw nothing.
func TestWantedNamesWhatItLeavesOut(t *testing.T) {
	s := newSlice(t)
	s.put("scripts", "own", `{"val_":"[{\"scriptName\":\"good\",\"scriptBody\":\"b\"},{\"scriptName\":\"\",\"scriptBody\":\"b\"},7]"}`)
	c := s.know(s.userData(), time.Hour)
	require.NoError(t, c.Ask(t.Context()))
	w, err := known.Wanted[scope.Script](c, scope.FamilyScripts)()
	require.NoError(t, err)
	assert.Len(t, w.Elements, 1)
	assert.False(t, w.Whole)
	require.Len(t, w.Notes, 2)
	assert.Equal(t, "scripts, element 1", w.Notes[0].About)
	s.put("scripts", "own", "7")
	require.NoError(t, c.Ask(t.Context()))
	_, err = known.Wanted[scope.Script](c, scope.FamilyScripts)()
	var decode *scope.DecodeError
	assert.True(t, errors.As(err, &decode), "%v", err)
}

// Heads that do not tell are asked often while members are missing, and less often once all have reported, or nothing has moved for long.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slice{T: t, tokens: scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}}
		self := s.userDataAt("https://127.0.0.1:1")
		c, err := known.New(nil, self, known.Settings{Every: time.Second, Settled: time.Minute, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		entry := func(key, value string) comet.Watched {
			return comet.Watched{Entry: comet.Entry{Name: scope.MustName("slice", "hostsall", key), Value: []byte(value)}}
		}
		waits := string(scope.Encode(scope.Host{HostName: "a"}))
		c.Take(comet.Change{Whole: true, Entries: []comet.Watched{entry("own", "{}"), entry("a", waits)}})
		assert.Equal(t, time.Second, c.PauseNow(), "nobody knows yet what is missing")
		time.Sleep(2 * time.Second)
		c.Take(comet.Change{Whole: true, Entries: []comet.Watched{entry("own", "{}"), entry("a", waits)}})
		assert.Equal(t, time.Second, c.PauseNow(), "a has not reported")
		time.Sleep(time.Hour)
		assert.Equal(t, time.Minute, c.PauseNow(), "and never will")
		c.Take(comet.Change{Compared: true, Entries: []comet.Watched{entry("a", string(scope.Encode(scope.Host{HostName: "a", IP: "10.0.0.2"})))}})
		assert.Equal(t, time.Minute, c.PauseNow())
		c.Take(comet.Change{Compared: true, Removed: []comet.Watched{entry("a", "")}})
		assert.Equal(t, time.Second, c.PauseNow(), "a may only be missing")
	})
}

func (s *slice) userDataAt(heads string) orca.UserData {
	return orca.UserData{
		Identity:  orca.Identity{SliceID: scope.MustName("slice", "any", "any").Context, ReservationID: scope.MustName("slice", "any", "own").Key},
		CometHost: heads,
		Slice:     orca.SliceAccess{Tokens: s.tokens, HostsRead: []string{"all"}, HostsWrite: []string{"all"}},
	}
}
