package comet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The pool does no I/O and is told the time, so that its rules can be tried to the nanosecond.

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func urls(heads []*head) (list []string) {
	for _, h := range heads {
		list = append(list, h.url)
	}
	return list
}

func TestPoolPrefersWellHeadsThenTheOnesThatRestLeast(t *testing.T) {
	p := newPool([]string{"a", "b", "c"}, time.Second, time.Minute)
	own := p.order(nil)
	assert.ElementsMatch(t, []string{"a", "b", "c"}, urls(own))
	assert.Equal(t, urls(own), urls(p.order(nil)), "the order stays")

	first, second, third := own[0], own[1], own[2]
	assert.True(t, p.fails(first, noon), "it was well")
	assert.False(t, p.fails(first, noon), "many calls saw the same failure")
	assert.Equal(t, []*head{second, third, first}, p.order(nil))
	p.fails(second, noon.Add(time.Minute))
	assert.Equal(t, []*head{third, first, second}, p.order(nil))
	p.fails(third, noon.Add(2*time.Minute))
	assert.Equal(t, []*head{first, second, third}, p.order(nil))
	assert.True(t, p.works(second))
	assert.False(t, p.works(second))
	assert.Equal(t, second, p.order(nil)[0])
}

func TestPoolsHaveOrdersOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		seen[newPool([]string{"a", "b", "c"}, 1, 1).order(nil)[0].url] = true
	}
	assert.Len(t, seen, 3, "clients spread over the heads")
}

func TestRestGrowsWithJitterUpToItsMost(t *testing.T) {
	p := newPool([]string{"a"}, time.Second, 10*time.Second)
	h := p.order(nil)[0]
	now := noon
	different := map[time.Duration]bool{}
	for _, most := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		p.fails(h, now)
		rest := h.rests.Sub(now)
		assert.LessOrEqual(t, rest, most*time.Second)
		assert.GreaterOrEqual(t, rest, most*time.Second/2)
		different[rest%time.Second] = true
		now = h.rests.Add(time.Nanosecond)
	}
	assert.Greater(t, len(different), 1, "there is jitter")
	for range 100 { // never overflows
		p.fails(h, now)
		require.LessOrEqual(t, h.rests.Sub(now), 10*time.Second)
		now = h.rests.Add(time.Nanosecond)
	}
	p.works(h)
	p.fails(h, now)
	assert.LessOrEqual(t, h.rests.Sub(now), time.Second, "a head that was well starts anew")
}

// A head that answers probes and nothing else is tried by one call at a time, and less and less often.
func TestAHeadOnTrialIsTriedByOneCall(t *testing.T) {
	p := newPool([]string{"a", "b"}, time.Second, time.Minute)
	a, b := p.order(nil)[0], p.order(nil)[1]
	p.fails(a, noon)
	assert.True(t, p.returns(a), "a probe found it")
	assert.Equal(t, []*head{a, b}, p.order(nil), "the first call tries it")
	assert.Equal(t, []*head{b, a}, p.order(nil), "the others do not wait for what comes of it")
	p.tried(a)
	assert.Equal(t, []*head{a, b}, p.order(nil))
	p.fails(a, noon)
	assert.Greater(t, a.rests.Sub(noon), time.Second-1, "its rest grows all the same")
	p.returns(a)
	p.order(nil)
	assert.True(t, p.works(a))
	assert.Equal(t, []*head{a, b}, p.order(nil))
	assert.Equal(t, []*head{a, b}, p.order(nil), "it has proved itself")
	assert.Equal(t, []*head{b}, p.order(map[*head]bool{a: true}))
}

func TestOneProbeAtATimeAndOnlyBesideAWellHead(t *testing.T) {
	p := newPool([]string{"a", "b"}, time.Second, time.Minute)
	a, b := p.order(nil)[0], p.order(nil)[1]
	p.fails(a, noon)
	later := noon.Add(time.Hour)
	assert.Empty(t, p.toProbe(noon), "it rests")
	assert.Equal(t, []*head{a}, p.toProbe(later))
	assert.Empty(t, p.toProbe(later), "one is on its way")
	p.probed(a)
	assert.Equal(t, []*head{a}, p.toProbe(later))
	p.probed(a)
	p.fails(b, noon)
	assert.Empty(t, p.toProbe(later), "the calls themselves try all heads now")
}

func TestAPoolServesOneStore(t *testing.T) {
	p := newPool([]string{"a", "b"}, time.Second, time.Minute)
	a, b := p.order(nil)[0], p.order(nil)[1]
	one, two := Version{API: "1", Store: "one"}, Version{API: "1", Store: "two"}
	assert.True(t, p.learns(a, one, noon))
	assert.False(t, p.learns(b, two, noon), "another store")
	assert.False(t, p.learns(b, Version{API: "1"}, noon), "a deployed head serves another store for certain")
	assert.True(t, p.learns(b, Version{}, noon), "an answer of a proxy's says nothing of a store")
	_, known := p.knows(b, noon.Add(unknownAge))
	assert.True(t, known)
	_, known = p.knows(b, noon.Add(unknownAge+1))
	assert.False(t, known, "and is not believed for long")
	assert.False(t, p.learns(b, two, noon), "another store still")
	_, known = p.knows(b, noon)
	assert.False(t, known)

	p.fails(a, noon)
	assert.False(t, p.learns(b, two, noon), "also while the head that was used is away")
	assert.True(t, p.learns(a, two, noon), "a head may come back with a restored store")
	assert.True(t, p.learns(b, two, noon))

	v, known := p.knows(a, noon.Add(aboutAge))
	assert.True(t, known)
	assert.Equal(t, two, v)
	_, known = p.knows(a, noon.Add(aboutAge+1))
	assert.False(t, known, "what is old is asked anew")
}

func TestAHeadThatIsBusyRestsNoLongerThanAnother(t *testing.T) {
	p := newPool([]string{"a"}, time.Second, time.Minute)
	h := p.order(nil)[0]
	p.busy(h, noon, 24*time.Hour)
	assert.Equal(t, noon.Add(time.Minute), h.rests)
}
