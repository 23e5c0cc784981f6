package faulttest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/internal/history"
	"github.com/renci-nrig/comet-go/scope"
)

// What one group takes before another comes in its place: the search for an order grows with it, and doubles with each operation that
// nobody answered.
const (
	mostOperations = 120
	mostUnknown    = 7
	groupsAtATime  = 3
)

// board is the groups that players play with, and what became of it.
type board struct {
	record *history.Recorder
	prefix string       // of the contexts
	opened func(*group) // is told of each new group

	mu     sync.Mutex
	groups []*group
	live   []*group
	values int
}

// group is three entries that one read token shows.
type group struct {
	index  int
	names  [history.Keys]scope.Name
	tokens scope.Tokens

	mu                  sync.Mutex
	operations, unknown int
}

func newBoard(prefix string, opened func(*group)) *board {
	return &board{record: history.Start(), prefix: prefix, opened: opened}
}

// pick returns a group that takes more.
func (b *board) pick(random *rand.Rand) *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range groupsAtATime {
		if len(b.live) <= i {
			b.live = append(b.live, b.open())
		} else if b.live[i].full() {
			b.live[i] = b.open()
		}
	}
	return b.live[random.IntN(groupsAtATime)]
}

func (b *board) open() *group {
	g := &group{index: len(b.groups), tokens: scope.NewTokens()}
	for k := range g.names {
		g.names[k] = scope.MustName(fmt.Sprintf("%s-%d", b.prefix, g.index), "hostsall", fmt.Sprint("vm-", k))
	}
	b.groups = append(b.groups, g)
	b.opened(g)
	return g
}

func (g *group) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.operations >= mostOperations || g.unknown >= mostUnknown
}

// value is one that nobody else writes.
func (b *board) value() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.values++
	return fmt.Sprint("v", b.values)
}

// add notes what became of an operation on a group.
func (b *board) add(player int, g *group, in history.Input, out history.Output, called, returned time.Time) {
	g.mu.Lock()
	g.operations++
	if out.Outcome == history.Unknown {
		g.unknown++
	}
	g.mu.Unlock()
	in.Group = g.index
	b.record.Add(player, in, out, called, returned)
}

// all are the keys of a group.
var all = []int{0, 1, 2}

// encode is a value as an entry holds it, a list so that it can be edited; decode takes it apart.
func encode(value string) []byte { return scope.Encode(scope.Host{HostName: value}) }

func decode(text []byte) string {
	list, err := scope.Decode[scope.Host](text)
	if err != nil {
		return "not a list: " + err.Error()
	}
	names := make([]string, len(list))
	for i, h := range list {
		names[i] = h.HostName
	}
	return strings.Join(names, "+")
}

// snapshot is a reading of a whole group, from what is there by key.
func (g *group) snapshot(there map[scope.Name]string) (history.Input, history.Output) {
	out := history.Output{Seen: make([]history.Seen, history.Keys)}
	for k, name := range g.names {
		out.Seen[k].Value = there[name]
	}
	return history.Input{Keys: all}, out
}
