package comet_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// shortly is the time of one attempt in tests that wait for it to end.
const shortly = 300 * time.Millisecond

// attempts keeps what a client's observer was told.
type attempts struct {
	mu   sync.Mutex
	list []comet.Attempt
}

func (a *attempts) observe(one comet.Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, one)
}

// take returns what came since the last take, probes left out.
func (a *attempts) take() []comet.Attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	var calls []comet.Attempt
	for _, one := range a.list {
		if !one.Probe {
			calls = append(calls, one)
		}
	}
	a.list = nil
	return calls
}

// used starts two heads and a client, writes testName, and returns which head the client uses and which it does not.
func used(t *testing.T, options ...comet.Option) (heads *comettest.Heads, client *comet.Client, first, second int) {
	heads = comettest.Start(t, 2)
	client = heads.Client(options...)
	_, err := client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	if heads.Calls(1, "writeScope") == 1 {
		return heads, client, 1, 0
	}
	return heads, client, 0, 1
}

func TestCallsGoOnWhateverOneHeadDoes(t *testing.T) {
	for name, fault := range map[string]comettest.Fault{
		"hangs":                  comettest.Hang(),
		"hangs after its work":   comettest.HangAfter(),
		"500":                    comettest.Status(http.StatusInternalServerError),
		"503 after its work":     comettest.StatusAfter(http.StatusServiceUnavailable),
		"425":                    comettest.Status(http.StatusTooEarly),
		"a web page":             comettest.Page(http.StatusBadGateway),
		"a web page with 200":    comettest.Page(http.StatusOK),
		"another entry's value":  comettest.Answer(200, "application/json", `{"status":"OK","value":{"contextId":"x","family":"x","key":"x","value":"x","entries":[]}}`).On("readScope", "enumerateScope"),
		"a value of no sense":    comettest.Answer(200, "application/json", `{"status":"OK","value":"x"}`).On("readScope", "enumerateScope"),
		"a web page with 403":    comettest.Page(http.StatusForbidden).On("readScope", "enumerateScope", "writeScope", "deleteScope"),
		"a web page with 404":    comettest.Page(http.StatusNotFound),
		"a redirect":             comettest.Answer(http.StatusTemporaryRedirect, "text/plain", "elsewhere"),
		"cut before the header":  comettest.Cut(-1),
		"cut before the body":    comettest.Cut(0),
		"cut in the body":        comettest.Cut(20),
		"reset":                  comettest.Reset(),
		"byte by byte":           comettest.Slow(50 * time.Millisecond),
		"more than anybody asks": comettest.Huge(8 << 20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heads, client, first, second := used(t, comet.WithAttemptTimeout(4*shortly), comet.WithAnswerLimit(1<<20))
			heads.Set(first, fault)
			before := heads.Calls(second, "")

			_, err := client.Write(t.Context(), testName, testTokens, []byte(`{"val_":"[1]"}`))
			require.NoError(t, err)
			entry, err := client.Read(t.Context(), testName, testTokens.Read)
			require.NoError(t, err)
			assert.Equal(t, `{"val_":"[1]"}`, string(entry.Value))
			entries, err := client.List(t.Context(), testName.Context, scope.Family{}, testTokens.Read)
			require.NoError(t, err)
			assert.Len(t, entries, 1)
			require.NoError(t, client.Delete(t.Context(), testName, testTokens))
			assert.Greater(t, heads.Calls(second, ""), before, "the other head did the work")
		})
	}
}

func TestADeadHeadIsFoundOnceAndThenLeftAlone(t *testing.T) {
	seen := &attempts{}
	heads, client, first, second := used(t, comet.WithObserver(seen.observe), comet.WithRest(time.Hour, time.Hour))
	heads.Stop(first)
	seen.take()
	for range 100 {
		_, err := client.Read(t.Context(), testName, testTokens.Read)
		require.NoError(t, err)
	}
	var failed, well int
	for _, a := range seen.take() {
		switch a.Head {
		case heads.URL(first):
			failed++
			assert.Contains(t, []comet.Class{comet.ClassConnect, comet.ClassBroken}, a.Class)
		case heads.URL(second):
			well++
		}
	}
	assert.Equal(t, 1, failed)
	assert.Equal(t, 101, well, "100 reads and one question for the version")
}

func TestAHangingHeadCostsOneAttempt(t *testing.T) {
	heads, client, first, _ := used(t, comet.WithAttemptTimeout(shortly), comet.WithRest(time.Hour, time.Hour))
	heads.Set(first, comettest.Hang())
	before := heads.Calls(first, "")
	for range 101 {
		_, err := client.Read(t.Context(), testName, testTokens.Read)
		require.NoError(t, err)
	}
	assert.Equal(t, before+1, heads.Calls(first, ""))
}

func TestAHangingHeadDoesNotEatTheCallersTime(t *testing.T) {
	heads, client, first, _ := used(t)
	heads.Set(first, comettest.Hang())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // less than the time of an attempt
	defer cancel()
	_, err := client.Read(ctx, testName, testTokens.Read)
	require.NoError(t, err)
}

func TestWhenAllHeadsAreDeadTheErrorNamesEach(t *testing.T) {
	heads, client, first, second := used(t, comet.WithAttemptTimeout(shortly))
	heads.Stop(first)
	heads.Set(second, comettest.Status(500))
	_, err := client.Write(t.Context(), testName, testTokens, testValue)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	require.NotErrorIs(t, err, comet.ErrUnauthorized)
	var all *comet.HeadsError
	require.ErrorAs(t, err, &all)
	require.Len(t, all.Heads, 2)
	assert.Contains(t, err.Error(), heads.URL(first))
	assert.Contains(t, err.Error(), "connection refused")
	assert.Contains(t, err.Error(), heads.URL(second)+": HTTP 500")
	assert.NotContains(t, err.Error(), "Planted")
	assert.NotContains(t, err.Error(), "\n")
}

func TestAHeadThatComesBackIsUsedAgain(t *testing.T) {
	heads, client, first, second := used(t, comet.WithRest(10*time.Millisecond, 20*time.Millisecond))
	read := func() {
		_, err := client.Read(t.Context(), testName, testTokens.Read)
		require.NoError(t, err)
	}
	heads.Stop(first)
	read()
	heads.Restart(first)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for before := heads.Calls(first, "readScope"); heads.Calls(first, "readScope") == before; {
		require.NoError(t, ctx.Err(), "it was not used again, though it rests for 20 ms at most")
		read()
	}
	heads.Stop(second)
	read()
}

// getVersion needs no store: that it answers is no proof that a head is well.
func TestAHeadThatOnlySaysItsVersionIsLeftForLongerAndLonger(t *testing.T) {
	heads, client, first, _ := used(t, comet.WithRest(time.Millisecond, time.Hour))
	heads.Set(first, comettest.Status(500).On("readScope"))
	before := heads.Calls(first, "readScope")
	for start := time.Now(); time.Since(start) < time.Second; {
		_, err := client.Read(t.Context(), testName, testTokens.Read)
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, heads.Calls(first, "readScope")-before, 12, "rests double from 1 ms, less up to a half, so ten or eleven fit into a second")
}

// Callers in a hurry give each head less than a second. That says nothing of a head once; again and again, while another one answers,
// it does.
func TestAHangingHeadIsLeftByCallersInAHurryToo(t *testing.T) {
	heads, client, first, _ := used(t, comet.WithRest(time.Hour, time.Hour))
	heads.Set(first, comettest.Hang().On("readScope"))
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*shortly)
		_, err := client.Read(ctx, testName, testTokens.Read)
		cancel()
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, heads.Calls(first, "readScope"), 3)
}

// A call that had too little time for an answer is no sign that a resting head is back.
func TestAHurriedCallDoesNotBringAHeadBack(t *testing.T) {
	heads, client, first, second := used(t, comet.WithAttemptTimeout(shortly), comet.WithRest(time.Hour, time.Hour))
	heads.Set(first, comettest.Hang())
	_, err := client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
	heads.Set(second, comettest.Hang().On("readScope"))
	ctx, cancel := context.WithTimeout(t.Context(), shortly/2)
	_, err = client.Read(ctx, testName, testTokens.Read)
	cancel()
	require.ErrorIs(t, err, comet.ErrUnavailable)
	heads.Set(second)
	before := heads.Calls(first, "")
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
	assert.Equal(t, before, heads.Calls(first, ""))
}

func TestWhileNoHeadIsWellAllAreTried(t *testing.T) {
	heads, client, first, second := used(t, comet.WithRest(time.Hour, time.Hour))
	heads.Stop(first)
	heads.Stop(second)
	_, err := client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	heads.Restart(second)
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
}

func TestHeadsOfAnotherStoreAreRefused(t *testing.T) {
	ours, theirs := comettest.Start(t, 1), comettest.Start(t, 1)
	trust := func(hostport string) (h *comettest.Heads) {
		if strings.Contains(ours.List(), hostport) {
			return ours
		}
		return theirs
	}
	client, err := comet.New(ours.List()+","+theirs.List(), nil, comet.WithTLSFor(func(hostport string) *tls.Config { return trust(hostport).TLS() }))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })

	_, err = client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	first, second := ours, theirs
	if theirs.Calls(0, "writeScope") == 1 {
		first, second = theirs, ours
	}
	first.Stop(0)
	_, err = client.Write(t.Context(), testName, testTokens, testValue)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	assert.Contains(t, err.Error(), second.URL(0)+": serves another store")
	assert.Zero(t, second.Calls(0, "writeScope"))
}

func TestAMomentaryRefusalOfTheCertificateIsAskedOnceMore(t *testing.T) {
	for _, n := range []int{1, 2} {
		heads := comettest.Start(t, n)
		client := heads.Client()
		_, err := client.Write(t.Context(), testName, testTokens, testValue)
		require.NoError(t, err)
		for i := range n {
			heads.Set(i, comettest.BadCertificate().On("writeScope").Times(1))
		}
		_, err = client.Write(t.Context(), testName, testTokens, testValue)
		if n == 1 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, comet.ErrUnauthorized, "two heads refused: that is an answer")
	}
}

func TestALastingRefusalOfTheCertificateIsAnAnswer(t *testing.T) {
	heads := comettest.Start(t, 1)
	client, err := comet.New(heads.List(), tlsconfig.Client(heads.Roots(), nil))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	_, err = client.Write(t.Context(), testName, testTokens, testValue)
	require.ErrorIs(t, err, comet.ErrUnauthorized)
	assert.Contains(t, err.Error(), "Unauthorized client")
	assert.Equal(t, 2, heads.Calls(0, "writeScope"))
}

func TestTrustThatFailsEverywhereIsARefusal(t *testing.T) {
	heads := comettest.Start(t, 2)
	stranger, err := tlsconfig.NewAuthority("stranger", time.Hour)
	require.NoError(t, err)

	t.Run("we do not trust the heads", func(t *testing.T) {
		client, err := comet.New(heads.List(), tlsconfig.Client([]*x509.Certificate{stranger.Certificate()}, nil))
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Read(t.Context(), testName, testTokens.Read)
		require.ErrorIs(t, err, comet.ErrUnauthorized)
		assert.Contains(t, err.Error(), heads.URL(0))
		assert.Contains(t, err.Error(), heads.URL(1))
	})
	t.Run("the heads do not trust us", func(t *testing.T) {
		identity, err := stranger.Client("somebody")
		require.NoError(t, err)
		client, err := comet.New(heads.List(), tlsconfig.Client(heads.Roots(), &identity))
		require.NoError(t, err)
		defer client.Close()
		_, err = client.Read(t.Context(), testName, testTokens.Read)
		require.ErrorIs(t, err, comet.ErrUnauthorized)
		assert.Contains(t, err.Error(), "our certificate")
	})
	for name, certificate := range map[string]tls.Certificate{"foreign": heads.Foreign(), "expired": heads.Expired()} {
		t.Run("one head shows a certificate that is "+name, func(t *testing.T) {
			heads.Present(0, certificate)
			client := heads.Client()
			for range 4 {
				_, err := client.Write(t.Context(), testName, testTokens, testValue)
				require.NoError(t, err)
			}
			assert.Zero(t, heads.Calls(0, "writeScope"))
		})
	}
}

func TestWhatAnAttemptThatBrokeOffDidIsSettled(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client(comet.WithAttemptTimeout(shortly))

	heads.Set(0, comettest.StatusAfter(500).On("writeScope").Times(1))
	outcome, err := client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	assert.Equal(t, comet.Written, outcome, "the first attempt may have created it")

	for _, fault := range []comettest.Fault{comettest.StatusAfter(500), comettest.HangAfter(), comettest.Cut(-1)} {
		heads.Set(0, fault.On("deleteScope").Times(1))
		require.NoError(t, client.Delete(t.Context(), testName, testTokens), "the second attempt finds nothing, since the first did it")
		outcome, err = client.Write(t.Context(), testName, testTokens, testValue)
		require.NoError(t, err)
		assert.Equal(t, comet.Created, outcome)
	}
	outcome, err = client.Write(t.Context(), testName, testTokens, []byte(`{"val_":"[2]"}`))
	require.NoError(t, err)
	assert.Equal(t, comet.Updated, outcome)

	// Deployed heads answer {} to a removal that failed inside.
	heads.Set(0, comettest.Empty().On("deleteScope").Times(1))
	require.NoError(t, client.Delete(t.Context(), testName, testTokens))
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrNotFound)
	require.ErrorIs(t, client.Delete(t.Context(), testName, testTokens), comet.ErrNotFound)
}

func TestAHeadThatIsBusyIsGivenTime(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	_, err := client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)

	heads.Set(0, comettest.Busy(0).On("readScope").Times(1))
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)

	// No head stops its clients for a day.
	heads.Set(0, comettest.Busy(86400).On("readScope"))
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	assert.Contains(t, err.Error(), "429")

	two := comettest.Start(t, 2)
	client = two.Client()
	_, err = client.Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
	two.Set(0, comettest.Busy(86400).On("readScope").Times(1))
	two.Set(1, comettest.Busy(86400).On("readScope").Times(1))
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.ErrorIs(t, err, comet.ErrUnavailable)
	assert.Contains(t, err.Error(), "429")
	assert.Equal(t, 2, two.Calls(0, "readScope")+two.Calls(1, "readScope"), "each is asked once")
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err, "the next call may ask again")

	// What a head is asked first is its version.
	fresh := comettest.Start(t, 1)
	fresh.Set(0, comettest.Busy(0).Times(1))
	_, err = fresh.Client().Write(t.Context(), testName, testTokens, testValue)
	require.NoError(t, err)
}

func TestTheCallersOwnEndStaysVisible(t *testing.T) {
	heads, client, first, second := used(t)
	heads.Set(first, comettest.Hang())
	heads.Set(second, comettest.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		heads.Await(t.Context(), first, "readScope", 1)
		cancel()
	}()
	_, err := client.Read(ctx, testName, testTokens.Read)
	require.ErrorIs(t, err, context.Canceled)

	heads.Set(first)
	heads.Set(second)
	before := heads.Calls(first, "readScope")
	_, err = client.Read(t.Context(), testName, testTokens.Read)
	require.NoError(t, err)
	assert.Equal(t, before+1, heads.Calls(first, "readScope"), "a caller who gives up says nothing about the head")
}

// The standard library gives a connection up when its writing goroutine did not run for 50 ms, as happens on a machine that is busy
// with other things: hence several goes at it.
func TestAThousandCallsTakeOneHandshake(t *testing.T) {
	var handshakes int
	for range 5 {
		heads := comettest.Start(t, 1)
		thousandCalls(t, heads.Client())
		assert.Equal(t, 1, heads.Calls(0, "getVersion"))
		if handshakes = heads.Handshakes(0); handshakes == 1 {
			return
		}
	}
	assert.Equal(t, 1, handshakes)
}

func thousandCalls(t *testing.T, client *comet.Client) {
	for range 250 {
		_, err := client.Write(t.Context(), testName, testTokens, testValue)
		require.NoError(t, err)
		_, err = client.Read(t.Context(), testName, testTokens.Read)
		require.NoError(t, err)
		_, err = client.List(t.Context(), testName.Context, testName.Family, testTokens.Read)
		require.NoError(t, err)
		require.NoError(t, client.Delete(t.Context(), testName, testTokens))
	}
}

func TestManyGoroutinesMayUseOneClient(t *testing.T) {
	heads := comettest.Start(t, 2)
	client := heads.Client(comet.WithRest(time.Millisecond, 5*time.Millisecond))
	names := make([]scope.Name, 200)
	for i := range names {
		names[i] = scope.MustName("s", "hostsall", string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	part := len(names) / 4
	var steps int
	heads.Stop(0)
	for i, change := range []func(){func() { heads.Restart(0); heads.Stop(1) }, func() { heads.Restart(1); heads.Stop(0) }, func() { heads.Restart(0) }, func() {}} {
		err := comet.Each(t.Context(), names[i*part:(i+1)*part], comet.Bulk{Progress: func(done, total int) { steps++ }}, func(ctx context.Context, n scope.Name) error {
			_, err := client.Write(ctx, n, testTokens, testValue)
			return err
		})
		require.NoError(t, err)
		change()
	}
	assert.Equal(t, len(names), steps)
	entries, err := client.List(t.Context(), testName.Context, testName.Family, testTokens.Read)
	require.NoError(t, err)
	assert.Len(t, entries, len(names))
}

func TestVersionsAsksEveryHead(t *testing.T) {
	heads := comettest.Start(t, 3)
	client := heads.Client()
	heads.Stop(1)
	versions := client.Versions(t.Context())
	require.Len(t, versions, 3)
	for i, v := range versions {
		assert.Equal(t, heads.URL(i), v.Head)
		if i == 1 {
			require.ErrorIs(t, v.Err, comet.ErrUnavailable)
			continue
		}
		require.NoError(t, v.Err)
		assert.Equal(t, "1.0.0", v.Version.API)
		assert.Equal(t, versions[0].Version.Store, v.Version.Store)
		assert.NotEmpty(t, v.Version.Store)
	}
}

// Whatever happens, neither errors nor the log at its most talkative hold a token, a value or a key.
func TestSecretsAppearNowhere(t *testing.T) {
	var out bytes.Buffer
	var lock sync.Mutex
	logger := slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		lock.Lock()
		defer lock.Unlock()
		return out.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	heads := comettest.Start(t, 2)
	client := heads.Client(comet.WithLogger(logger), comet.WithAttemptTimeout(shortly), comet.WithRest(time.Millisecond, time.Millisecond))
	secretValue := []byte(`{"val_":"[{\"scriptName\":\"x\",\"scriptBody\":\"bodyPlanted\"}]"}`)
	note := func(err error) {
		lock.Lock()
		defer lock.Unlock()
		if err != nil {
			out.WriteString(err.Error() + "\n")
		}
	}
	try := func() {
		_, err := client.Write(t.Context(), testName, testTokens, secretValue)
		note(err)
		_, err = client.Read(t.Context(), testName, testTokens.Read)
		note(err)
		_, err = client.List(t.Context(), testName.Context, scope.Family{}, testTokens.Read)
		note(err)
		note(client.Update(t.Context(), testName, testTokens, func(l *scope.List) error { return nil }))
		note(client.Delete(t.Context(), testName, testTokens))
	}
	try()
	for _, fault := range []comettest.Fault{comettest.Status(500), comettest.Page(502), comettest.Cut(-1), comettest.Cut(10), comettest.Reset(),
		comettest.Hang().Times(2), comettest.Empty(), comettest.BadCertificate(), comettest.Busy(0)} {
		heads.Set(0, fault)
		heads.Set(1, fault)
		try()
	}
	heads.Stop(0)
	heads.Stop(1)
	try()
	lock.Lock()
	defer lock.Unlock()
	assert.NotContains(t, out.String(), "Planted")
	assert.Contains(t, out.String(), "head is left")
	assert.Contains(t, out.String(), "connection refused")
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
