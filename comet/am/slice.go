package am

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Member is a VM of a slice whose families are to be put down.
type Member struct {
	Unit     orca.Unit
	Families Families
	Fresh    bool // its tokens were made just now, so that nothing can be there
}

// Outcome says what came of a VM.
type Outcome string

// The outcomes of a VM.
const (
	Written  Outcome = "written"  // what was missing of its families was put down
	Kept     Outcome = "kept"     // its families were there, as they are to be
	Differs  Outcome = "differs"  // some were there otherwise and stayed: an element was added or deleted since, or the properties changed
	Replaced Outcome = "replaced" // some were there otherwise and were put down again
	Failed   Outcome = "failed"
)

// Result is what came of a VM.
type Result struct {
	Outcome Outcome
	Differ  []scope.Family // those that were there otherwise
	Err     error          // nil unless it failed; ErrNotBegun among others
}

// ErrNotBegun: nothing was done for a VM, since others showed that it would be in vain.
var ErrNotBegun = errors.New("was not begun")

// SliceOptions say how a slice is published.
type SliceOptions struct {
	Replace  bool                  // put down again what is there otherwise, though somebody else may have changed it
	Progress func(done, total int) // told how many VMs are done, one call at a time; may be nil
}

// vmsTogether is how many VMs go in one request, where heads take that: five families each, and heads take forty entries.
const vmsTogether = 8

// PublishSlice puts down what is missing of the VMs' families, several VMs at a time and where heads offer it several in one request;
// what is put down of a VM always becomes visible as Publish says. A family that is there stays, though it were another than the properties
// say, since other aggregate managers add to it: that is said, and Replace changes it. So a repeat goes on where the last one stopped.
// The results are in the order of the VMs. A VM that is refused does not stop the others; when no head answers, or the context ends, nothing
// more is begun, and what was not is failed.
func PublishSlice(ctx context.Context, client *comet.Client, vms []Member, options SliceOptions) []Result {
	p := &publication{client: client, replace: options.Replace}
	tasks := make([]*task, len(vms))
	for i := range vms {
		tasks[i] = &task{Member: &vms[i]}
	}
	step := comet.Bulk{Progress: func(done, _ int) {
		if options.Progress != nil {
			options.Progress(min(done*vmsTogether, len(vms)), len(vms))
		}
	}}
	err := comet.Each(ctx, slices.Collect(slices.Chunk(tasks, vmsTogether)), step, p.part)
	results := make([]Result, len(vms))
	for i, t := range tasks {
		if !t.done {
			t.end(fmt.Errorf("%w: %w", ErrNotBegun, err))
		}
		results[i] = t.Result
	}
	return results
}

// publication is a slice that is being put down.
type publication struct {
	client  *comet.Client
	replace bool
}

// task is one VM of it. One goroutine at a time has it.
type task struct {
	*Member
	Result // as it will be, until done says that it is
	done   bool
	write  []comet.Item
}

// end says what came of the VM.
func (t *task) end(err error) {
	if t.done = true; err != nil {
		t.Outcome, t.Err = Failed, fmt.Errorf("publish VM %s: %w", label(t.Unit), err)
	}
}

// part puts down a few VMs. Its error is one after which there is no use in going on.
func (p *publication) part(ctx context.Context, part []*task) error {
	var left []*task
	for _, t := range part {
		switch err := p.look(ctx, t); {
		case err != nil:
			if t.end(err); hopeless(err) {
				return err
			}
		case len(t.write) == 0:
			t.end(nil)
		default:
			left = append(left, t)
		}
	}
	return p.write(ctx, left)
}

// hopeless tells whether the other VMs will fare no better.
func hopeless(err error) bool {
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	return ended || errors.Is(err, comet.ErrUnavailable) || errors.Is(err, comet.ErrClosed)
}

// look finds out what is to be written.
func (p *publication) look(ctx context.Context, t *task) error {
	if err := complete(t.Unit); err != nil {
		return err
	}
	there := map[scope.Name][]byte{}
	if !t.Fresh {
		entries, err := p.client.List(ctx, t.Unit.SliceID, scope.Family{}, t.Unit.Tokens.Read)
		if err != nil {
			return err
		}
		for _, e := range entries {
			there[e.Name] = e.Value
		}
	}
	for _, i := range items(t.Unit, t.Families.Values()) {
		value, stands := there[i.Name]
		differs := stands && !bytes.Equal(value, i.Value)
		if differs {
			t.Differ = append(t.Differ, i.Name.Family)
		}
		if !stands || differs && p.replace {
			t.write = append(t.write, i)
		}
	}
	t.Outcome = p.outcome(t)
	return nil
}

// outcome is what comes of a VM when what is to be written is.
func (p *publication) outcome(t *task) Outcome {
	switch {
	case len(t.Differ) > 0 && p.replace:
		return Replaced
	case len(t.Differ) > 0:
		return Differs
	case len(t.write) > 0:
		return Written
	}
	return Kept
}

// write puts VMs down in one request or, where that is not offered or one of them is refused, one by one.
func (p *publication) write(ctx context.Context, tasks []*task) error {
	var all []comet.Item
	for _, t := range tasks {
		all = append(all, t.write...)
	}
	together := comet.ErrNotOffered
	if len(tasks) > 1 && oneContext(all) {
		together = p.client.WriteTogether(ctx, all)
	}
	if together == nil || hopeless(together) {
		for _, t := range tasks {
			t.end(together)
		}
		return together
	}
	for _, t := range tasks {
		err := publish(ctx, p.client, t.write)
		if t.end(err); err != nil && hopeless(err) {
			return err
		}
	}
	return nil
}

func oneContext(all []comet.Item) bool {
	return !slices.ContainsFunc(all, func(i comet.Item) bool { return i.Name.Context != all[0].Name.Context })
}
