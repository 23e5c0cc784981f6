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
	Written Outcome = "written"
	Kept    Outcome = "kept" // its families were there already, as they must be
	Failed  Outcome = "failed"
)

// Result is what came of a VM, and why it failed.
type Result struct {
	Outcome Outcome
	Err     error // nil unless it failed
}

// vmsTogether is how many VMs go in one request, where heads take that: five families each, and heads take forty entries.
const vmsTogether = 8

// PublishSlice does for every VM what Publish does, several at a time and where heads offer it several in one request; the five
// families of a VM always become visible as Publish says. A VM whose families are there as they must be is kept, so that
// a repeat goes on where the last one stopped. The results are in the order of the VMs. A VM that is refused does not stop the others; when
// no head answers, or the context ends, nothing more is begun, and what was not is failed. progress, which may be nil, is told how
// many VMs are done; one call at a time.
func PublishSlice(ctx context.Context, client *comet.Client, vms []Member, progress func(done, total int)) []Result {
	p := &publication{client: client, vms: vms, results: make([]Result, len(vms))}
	var parts [][]int
	for part := range slices.Chunk(indexes(len(vms)), vmsTogether) {
		parts = append(parts, part)
	}
	step := comet.Bulk{Progress: func(done, _ int) {
		if progress != nil {
			progress(min(done*vmsTogether, len(vms)), len(vms))
		}
	}}
	err := comet.Each(ctx, parts, step, p.part)
	for i, r := range p.results {
		if r.Outcome == "" {
			p.results[i] = Result{Failed, fmt.Errorf("VM %s was not begun: %w", vms[i].Unit.HostName, err)}
		}
	}
	return p.results
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// publication is a slice that is being put down. Each result is set by one goroutine.
type publication struct {
	client  *comet.Client
	vms     []Member
	results []Result
}

// part puts down a few VMs. Its error is one after which there is no use in going on.
func (p *publication) part(ctx context.Context, part []int) error {
	var left []int
	for _, i := range part {
		switch stands, err := p.stands(ctx, p.vms[i]); {
		case err != nil:
			p.settle(i, Failed, err)
			if hopeless(err) {
				return err
			}
		case stands:
			p.settle(i, Kept, nil)
		default:
			left = append(left, i)
		}
	}
	return p.write(ctx, left)
}

// settle notes what came of a VM.
func (p *publication) settle(i int, o Outcome, err error) {
	if err != nil {
		err = fmt.Errorf("publish VM %s: %w", p.vms[i].Unit.HostName, err)
	}
	p.results[i] = Result{o, err}
}

// hopeless tells whether the other VMs will fare no better.
func hopeless(err error) bool {
	return errors.Is(err, comet.ErrUnavailable) || errors.Is(err, comet.ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// stands reports whether the VM's families are there as they must be.
func (p *publication) stands(ctx context.Context, vm Member) (bool, error) {
	if err := complete(vm.Unit); err != nil || vm.Fresh {
		return false, err
	}
	entries, err := p.client.List(ctx, vm.Unit.SliceID, scope.Family{}, vm.Unit.Tokens.Read)
	if err != nil {
		return false, err
	}
	there := map[scope.Name][]byte{}
	for _, e := range entries {
		there[e.Name] = e.Value
	}
	for _, i := range items(vm.Unit, vm.Families.Values()) {
		if value, ok := there[i.Name]; !ok || !bytes.Equal(value, i.Value) {
			return false, nil
		}
	}
	return true, nil
}

// write puts VMs down in one request or, where that is not offered or one of them is refused, one by one.
func (p *publication) write(ctx context.Context, vms []int) error {
	var all []comet.Item
	for _, i := range vms {
		all = append(all, items(p.vms[i].Unit, p.vms[i].Families.Values())...)
	}
	together := comet.ErrNotOffered
	if len(vms) > 1 && oneContext(all) {
		together = p.client.WriteTogether(ctx, all)
	}
	if together == nil || hopeless(together) {
		for _, i := range vms {
			p.settle(i, outcome(together), together)
		}
		return together
	}
	for _, i := range vms {
		err := publish(ctx, p.client, items(p.vms[i].Unit, p.vms[i].Families.Values()))
		if p.settle(i, outcome(err), err); err != nil && hopeless(err) {
			return err
		}
	}
	return nil
}

func outcome(err error) Outcome {
	if err != nil {
		return Failed
	}
	return Written
}

func oneContext(all []comet.Item) bool {
	return !slices.ContainsFunc(all, func(i comet.Item) bool { return i.Name.Context != all[0].Name.Context })
}
