package history_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/renci-nrig/comet-go/comet/internal/history"
)

// told is one operation of a story. Its times are in seconds from the beginning; those of a story without overlaps are left out.
type told struct {
	in     history.Input
	out    history.Output
	called int
	ended  int
}

func write(key int, value string) history.Input {
	return history.Input{Changes: []history.Change{{Key: key, Value: value}}}
}

func remove(key int) history.Input { return write(key, "") }

func ifAt(revision uint64, key int, value string) history.Input {
	return history.Input{Changes: []history.Change{{Key: key, Value: value, IfRevision: revision}}}
}

func ifAbsent(key int, value string) history.Input {
	return history.Input{Changes: []history.Change{{Key: key, Value: value, IfAbsent: true}}}
}

func batch(first, second string) history.Input {
	return history.Input{Changes: []history.Change{{Key: 0, Value: first}, {Key: 1, Value: second}}}
}

func at(value string, revision uint64) history.Output {
	return history.Output{Seen: []history.Seen{{Value: value, Revision: revision}}}
}

func written(revision uint64, created bool) history.Output {
	return history.Output{Seen: []history.Seen{{Revision: revision, Created: &created}}}
}

func all(values ...string) (out history.Output) {
	for _, v := range values {
		out.Seen = append(out.Seen, history.Seen{Value: v})
	}
	return out
}

var (
	first    = history.Input{Keys: []int{0}}
	whole    = history.Input{Keys: []int{0, 1, 2}}
	done     = history.Output{}
	differs  = history.Output{Outcome: history.Differs}
	notThere = history.Output{Outcome: history.NotThere}
	gone     = history.Output{Outcome: history.Gone}
	unknown  = history.Output{Outcome: history.Unknown}
)

func TestWhatCanHaveHappened(t *testing.T) {
	for name, tt := range map[string]struct {
		story []told
		legal bool
	}{
		"nothing":                             {nil, true},
		"written and read":                    {[]told{{in: write(0, "a"), out: written(1, true)}, {in: first, out: at("a", 1)}}, true},
		"a lost write":                        {[]told{{in: write(0, "a"), out: written(1, true)}, {in: first, out: at("", 0)}}, false},
		"a value from nowhere":                {[]told{{in: first, out: at("a", 0)}}, false},
		"an old value":                        {[]told{{in: write(0, "a"), out: done}, {in: write(0, "b"), out: done}, {in: first, out: at("a", 0)}}, false},
		"a revision of before":                {[]told{{in: write(0, "a"), out: written(2, true)}, {in: write(0, "b"), out: written(1, false)}}, false},
		"one revision twice":                  {[]told{{in: write(0, "a"), out: written(2, true)}, {in: write(1, "b"), out: written(2, true)}}, false},
		"a revision that changes":             {[]told{{in: write(0, "a"), out: written(1, true)}, {in: first, out: at("a", 2)}}, false},
		"created what was there":              {[]told{{in: write(0, "a"), out: written(1, true)}, {in: write(0, "b"), out: written(2, true)}}, false},
		"updated what was not":                {[]told{{in: write(0, "a"), out: written(1, false)}}, false},
		"the same value again":                {[]told{{in: write(0, "a"), out: written(1, true)}, {in: write(0, "a"), out: written(1, false)}}, true},
		"the same value under a new revision": {[]told{{in: write(0, "a"), out: written(1, true)}, {in: write(0, "a"), out: written(2, false)}}, false},

		"a condition that holds":              {[]told{{in: write(0, "a"), out: written(1, true)}, {in: ifAt(1, 0, "b"), out: written(2, false)}}, true},
		"a condition that does not":           {[]told{{in: write(0, "a"), out: written(2, true)}, {in: ifAt(1, 0, "b"), out: written(3, false)}}, false},
		"a refusal without a reason":          {[]told{{in: write(0, "a"), out: written(1, true)}, {in: ifAt(1, 0, "b"), out: differs}}, false},
		"two who were both first":             {[]told{{in: ifAbsent(0, "a"), out: done, ended: 5}, {in: ifAbsent(0, "b"), out: done, ended: 5}}, false},
		"one who was first":                   {[]told{{in: ifAbsent(0, "a"), out: done, ended: 5}, {in: ifAbsent(0, "b"), out: differs, ended: 5}}, true},
		"removed twice":                       {[]told{{in: write(0, "a"), out: done}, {in: remove(0), out: done}, {in: remove(0), out: done}}, false},
		"removed, and then not there":         {[]told{{in: write(0, "a"), out: done}, {in: remove(0), out: done}, {in: remove(0), out: notThere}}, true},
		"gone, by somebody":                   {[]told{{in: write(0, "a"), out: done}, {in: remove(0), out: done}, {in: remove(0), out: gone}, {in: first, out: at("", 0)}}, true},
		"gone, and there":                     {[]told{{in: write(0, "a"), out: done}, {in: remove(0), out: gone}, {in: first, out: at("a", 0)}}, false},
		"half of a batch":                     {[]told{{in: batch("a", "b"), out: done, ended: 9}, {in: whole, out: all("a", "", ""), called: 1, ended: 2}}, false},
		"all of a batch":                      {[]told{{in: batch("a", "b"), out: done, ended: 9}, {in: whole, out: all("a", "b", ""), called: 1, ended: 2}}, true},
		"half of a batch that was not heard":  {[]told{{in: batch("a", "b"), out: unknown}, {in: whole, out: all("a", "", "")}}, false},
		"unchanged since":                     {[]told{{in: write(0, "a"), out: written(3, true)}, {in: history.Input{}, out: history.Output{Changed: 3}}}, true},
		"unchanged, though it was not":        {[]told{{in: write(0, "a"), out: written(3, true)}, {in: write(1, "b"), out: done}, {in: history.Input{}, out: history.Output{Changed: 3}}}, false},
		"not heard of, and never made":        {[]told{{in: write(0, "a"), out: unknown}, {in: first, out: at("", 0)}}, true},
		"not heard of, and made":              {[]told{{in: write(0, "a"), out: unknown}, {in: first, out: at("a", 0)}}, true},
		"not heard of, and made late":         {[]told{{in: write(0, "a"), out: unknown}, {in: write(0, "b"), out: done}, {in: first, out: at("b", 0)}, {in: first, out: at("a", 0)}}, true},
		"not heard of, and made twice":        {[]told{{in: write(0, "a"), out: unknown}, {in: first, out: at("a", 0)}, {in: write(0, "b"), out: done}, {in: first, out: at("a", 0)}}, false},
		"asked twice, and made twice":         {[]told{{in: write(0, "a"), out: unknown}, {in: write(0, "a"), out: unknown}, {in: first, out: at("a", 0)}, {in: write(0, "b"), out: done}, {in: first, out: at("a", 0)}}, true},
		"not heard of, and there before":      {[]told{{in: first, out: at("a", 0)}, {in: write(0, "a"), out: unknown}}, false},
		"removed by whom nobody heard":        {[]told{{in: write(0, "a"), out: done}, {in: remove(0), out: unknown}, {in: first, out: at("", 0)}}, true},
		"refused for what nobody saw":         {[]told{{in: write(0, "a"), out: unknown}, {in: ifAbsent(0, "b"), out: differs}}, true},
		"a condition that was not heard of":   {[]told{{in: write(0, "a"), out: written(1, true)}, {in: ifAt(1, 0, "b"), out: unknown}, {in: write(0, "c"), out: done}, {in: first, out: at("c", 0)}, {in: first, out: at("b", 0)}}, false},
		"read by value, changed by value":     {[]told{{in: write(0, "a"), out: done}, {in: history.Input{Changes: []history.Change{{Value: "b", IfValue: "a"}}}, out: done}, {in: first, out: at("b", 0)}}, true},
		"changed by value, of a value before": {[]told{{in: write(0, "a"), out: done}, {in: write(0, "c"), out: done}, {in: history.Input{Changes: []history.Change{{Value: "b", IfValue: "a"}}}, out: done}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, began := history.Start(), time.Now()
			for i, o := range tt.story {
				called, ended := 10*i+o.called, 10*i+9
				if o.ended > 0 {
					called, ended = o.called, o.ended
				}
				r.Add(i, o.in, o.out, began.Add(time.Duration(called)*time.Second), began.Add(time.Duration(ended)*time.Second))
			}
			assert.Equal(t, tt.legal, r.Legal())
		})
	}
}

// Groups have nothing to do with each other.
func TestGroupsStandAlone(t *testing.T) {
	r, now := history.Start(), time.Now()
	in := write(0, "a")
	in.Group = 3
	r.Add(0, in, done, now, now.Add(time.Second))
	r.Add(0, first, at("", 0), now.Add(2*time.Second), now.Add(3*time.Second))
	assert.True(t, r.Legal())
	r.Add(0, history.Input{Group: 3, Keys: []int{0}}, at("", 0), now.Add(2*time.Second), now.Add(3*time.Second))
	assert.False(t, r.Legal())
	operations, unknown := r.Count()
	assert.Equal(t, 3, operations)
	assert.Zero(t, unknown)
}
