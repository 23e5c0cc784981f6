package history

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// How long the search for an order may take without all that was never answered, and with it.
const (
	shortPatience = 5 * time.Second
	patience      = 2 * time.Minute
)

// Check fails the test unless there is an order in which all this can have happened one after the other. It then says how far an order
// gets in the first group that has none, and leaves a page that shows it, which go test keeps with -artifacts.
func (r *Recorder) Check(t testing.TB) {
	t.Helper()
	for i, group := range r.groups() {
		result, info := check(group)
		if result == porcupine.Ok {
			continue
		}
		page := filepath.Join(t.ArtifactDir(), fmt.Sprintf("group-%d.html", i))
		require.NoError(t, porcupine.VisualizePath(model, info, page))
		if result == porcupine.Unknown {
			t.Fatalf("group %d: no order of its %d operations was found within %s, nor that there is none; see %s", i, len(group), patience, page)
		}
		t.Fatalf("group %d: what clients saw cannot have happened one after the other; see %s (kept with -artifacts)\n%s", i, page, stuck(group, info))
	}
}

// Legal reports whether there is such an order.
func (r *Recorder) Legal() bool {
	for _, group := range r.groups() {
		if result, _ := check(group); result != porcupine.Ok {
			return false
		}
	}
	return true
}

func check(group []porcupine.Operation) (result porcupine.CheckResult, info porcupine.LinearizationInfo) {
	tries := tries(group)
	for i, operations := range tries {
		most := shortPatience
		if i == len(tries)-1 {
			most = patience
		}
		if result, info = porcupine.CheckOperationsVerbose(model, operations, most); result == porcupine.Ok {
			break
		}
	}
	return result, info
}

func (r *Recorder) groups() [][]porcupine.Operation {
	r.mu.Lock()
	defer r.mu.Unlock()
	var groups [][]porcupine.Operation
	for _, o := range r.operations {
		g := o.Input.(Input).Group
		for len(groups) <= g {
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], o)
	}
	return groups
}

// How much is told of an order that gets stuck.
const (
	lastSteps = 12
	nextSteps = 8
)

// stuck tells the end of the longest order of a group, and what would have to follow.
func stuck(group []porcupine.Operation, info porcupine.LinearizationInfo) string {
	orders := info.PartialLinearizationsOperations()[0]
	longest := slices.MaxFunc(orders, func(a, b []porcupine.Operation) int { return cmp.Compare(len(a), len(b)) })
	var text strings.Builder
	var now any = state{}
	for i, o := range longest {
		if _, now = step(now.(state), o.Input.(Input), o.Output.(Output)); i >= len(longest)-lastSteps {
			fmt.Fprintf(&text, "%s\n\t-> %s\n", line(o), now)
		}
	}
	rest := slices.DeleteFunc(slices.Clone(group), func(o porcupine.Operation) bool {
		return slices.ContainsFunc(longest, func(l porcupine.Operation) bool {
			return l.ClientId == o.ClientId && l.Call == o.Call
		})
	})
	slices.SortFunc(rest, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	fmt.Fprintln(&text, "and then one of:")
	for _, o := range rest[:min(nextSteps, len(rest))] {
		fmt.Fprintln(&text, line(o))
	}
	return text.String()
}

func line(o porcupine.Operation) string {
	return fmt.Sprintf("client %d %v to %v: %s", o.ClientId, time.Duration(o.Call), time.Duration(o.Return), describe(o.Input.(Input), o.Output.(Output)))
}
