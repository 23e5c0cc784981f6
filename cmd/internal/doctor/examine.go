package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Subject is what is examined.
type Subject struct {
	Heads   string // as callers are given them, separated by commas
	Files   tlsconfig.Files
	Names   tlsconfig.Names
	Secrets []string // further files that nobody else should read: of tokens, of passwords
	Tokens  []Token
	Unread  error         // why some of the settings could not be read, if so
	Step    time.Duration // how long one step at one head may take; 5 s where it is zero
}

const defaultStep = 5 * time.Second

// Examine looks at everything and returns when all heads have answered or had their time, or when ctx ends. Heads are examined side
// by side. What is wrong in one place does not keep the rest from being examined.
func Examine(ctx context.Context, s Subject) Report {
	if s.Step == 0 {
		s.Step = defaultStep
	}
	heads, checks := parseHeads(s.Heads)
	r := Report{Heads: heads, Checks: []Check{}}
	of := trust{files: s.Files, names: s.Names, unread: s.Unread != nil}
	if s.Unread != nil {
		r.Checks = append(r.Checks, Check{"settings", "settings", Problem, s.Unread.Error(), "mend it; what depends on it was not examined"})
	}
	if s.Files != (tlsconfig.Files{}) || s.Unread == nil && slices.ContainsFunc(heads, isTLS) {
		r.Checks = append(r.Checks, of.open()...)
		defer of.close()
	}
	r.Checks = append(r.Checks, exposed(s.Files, s.Secrets)...)
	r.Checks = append(r.Checks, integrity(s.Files)...)
	r.Checks = append(r.Checks, examineTokens(s.Tokens)...)
	r.Checks = append(r.Checks, checks...)

	visits := make([]*visit, len(heads))
	var all sync.WaitGroup
	for i, head := range heads {
		visits[i] = &visit{head: head, step: s.Step, trust: &of}
		all.Go(func() { visits[i].run(ctx) })
	}
	all.Wait()
	for _, v := range visits {
		r.Checks = append(r.Checks, v.checks...)
	}
	r.Checks = append(r.Checks, compareStores(visits)...)
	return r.finish()
}

func (r Report) finish() Report {
	r.Well = true
	for i, c := range r.Checks {
		r.Checks[i] = Check{printable(c.About), c.Step, c.State, printable(c.Says), printable(c.DoThis)}
		r.Well = r.Well && c.State != Problem
	}
	return r
}

// parseHeads takes the heads that make sense from a list, and says what is wrong with the others.
func parseHeads(list string) (heads []string, checks []Check) {
	const doThis = "name heads with --comethost, COMETHOST or --config, such as https://comet.example.net:8111/"
	heads = []string{} // not nil, which JSON shows as null
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(item) == "" {
			continue
		}
		parsed, err := comet.ParseHeads(item)
		if err != nil {
			checks = append(checks, Check{"heads", "heads", Problem, err.Error(), doThis})
			continue
		}
		if !slices.Contains(heads, parsed[0]) {
			heads = append(heads, parsed[0])
		}
	}
	if len(heads) == 0 && len(checks) == 0 {
		checks = append(checks, Check{"heads", "heads", Problem, "no heads are named", doThis})
	}
	return heads, checks
}

// compareStores says whether the heads serve one store. Clients do not spread over several.
func compareStores(visits []*visit) []Check {
	serving := map[string][]string{}
	var stores []string
	for _, v := range visits {
		if v.version == nil {
			continue
		}
		if serving[v.version.Store] == nil {
			stores = append(stores, v.version.Store)
		}
		serving[v.version.Store] = append(serving[v.version.Store], v.head)
	}
	switch {
	case len(stores) == 0 || len(stores) == 1 && len(serving[stores[0]]) == 1:
		return nil
	case len(stores) == 1 && stores[0] == "":
		return []Check{{AllHeads, stepStore, OK, "deployed heads do not say which store they serve", ""}}
	case len(stores) == 1:
		return []Check{{AllHeads, stepStore, OK, "serve " + storeName(stores[0]), ""}}
	}
	var said []string
	for _, store := range stores {
		said = append(said, fmt.Sprintf("%s: %s", storeName(store), listed(serving[store])))
	}
	return []Check{{AllHeads, stepStore, Problem,
		"serve different stores (" + strings.Join(said, "; ") + "): what is written through one is not there at the other, so clients use " +
			"only the store of the head that answers first",
		"name only heads of one store together; heads started with --data alone have a store each, several heads share one with --store"}}
}

func storeName(identity string) string {
	if identity == "" {
		return "a store without identity, as of deployed heads"
	}
	return "store " + identity
}
