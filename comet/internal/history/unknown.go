package history

import (
	"math"

	"github.com/anishathalye/porcupine"
)

// What was never answered makes the search long: each such operation may be anywhere, or nowhere. Three things make it short. Every value
// is written by one operation, or by the attempts of one call; so a value that somebody saw, before anybody else can have written it, was
// written by then. What nobody saw a trace of may be left out at first: where there is an order without it there is one with it, at
// the very end. And removals, which leave no value to be seen, come before writes that nobody saw.

// bounded returns the operations of a group with those that were never answered bounded where they were seen, and of each whether it can
// be left out at first.
func bounded(group []porcupine.Operation) ([]porcupine.Operation, []bool) {
	first, answered := firstSeen(group), firstAnswered(group)
	taken := map[string]bool{}
	operations, spare := make([]porcupine.Operation, len(group)), make([]bool, len(group))
	for i, o := range group {
		if o.Output.(Output).Outcome == Unknown {
			spare[i] = true
			for _, c := range o.Input.(Input).Changes {
				seen, ok := first[c.Value]
				if at, known := answered[c.Value]; ok && o.Call <= seen && (!known || at > seen) && !taken[c.Value] {
					spare[i] = false
					o.Return = min(o.Return, seen)
				}
			}
			if !spare[i] { // of several attempts the first one stands for all
				for _, c := range o.Input.(Input).Changes {
					taken[c.Value] = true
				}
			}
		}
		operations[i] = o
	}
	return operations, spare
}

// firstSeen is the return of the first operation that saw a value.
func firstSeen(group []porcupine.Operation) map[string]int64 {
	first := map[string]int64{}
	note := func(value string, at int64) {
		if before, ok := first[value]; value != "" && (!ok || at < before) {
			first[value] = at
		}
	}
	for _, o := range group {
		in, out := o.Input.(Input), o.Output.(Output)
		if len(in.Changes) == 0 {
			for _, s := range out.Seen {
				note(s.Value, o.Return)
			}
		} else if out.Outcome == Done {
			for _, c := range in.Changes {
				note(c.IfValue, o.Return)
			}
		}
	}
	return first
}

// firstAnswered is the call of the first operation that wrote a value and was answered.
func firstAnswered(group []porcupine.Operation) map[string]int64 {
	first := map[string]int64{}
	for _, o := range group {
		if o.Output.(Output).Outcome != Done {
			continue
		}
		for _, c := range o.Input.(Input).Changes {
			if at, ok := first[c.Value]; !ok || o.Call < at {
				first[c.Value] = o.Call
			}
		}
	}
	return first
}

// tries are the operations of a group with ever more of those that were never answered; the last has all.
func tries(group []porcupine.Operation) [3][]porcupine.Operation {
	operations, spare := bounded(group)
	var t [3][]porcupine.Operation
	for i, o := range operations {
		removal := o.Input.(Input).removes()
		if !spare[i] {
			t[0] = append(t[0], o)
		}
		if !spare[i] || removal {
			t[1] = append(t[1], o)
		}
		t[2] = append(t[2], o)
	}
	return t
}

func (in Input) removes() bool { return len(in.Changes) > 0 && in.Changes[0].Value == "" }

const never = math.MaxInt64
