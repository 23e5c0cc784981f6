package guest

import (
	"errors"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/known"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrHeadless says that nobody was asked: somebody has forgotten the heads.
var ErrHeadless = errors.New("in doubt: the user data has tokens, and no comethost to ask with them")

// unshown says of what heads show nothing at all, so that an empty list is no answer, or which nobody was asked for.
func (g *Guest) unshown() map[string]error {
	why := map[string]error{}
	put := func(err error, lists ...string) {
		for _, list := range lists {
			if err != nil {
				why[list] = err
			}
		}
	}
	if g.headless {
		put(ErrHeadless, "hosts", "pubkeys")
	}
	for _, c := range g.contexts {
		for _, group := range known.Groups(c.Self()) {
			put(c.Unshown(group), "hosts", "pubkeys")
		}
	}
	for _, family := range scope.InstanceFamilies() {
		put(g.unshownOwn(family), family.String())
	}
	return why
}

// unshownOwn is unshown of a family that is for this VM alone.
func (g *Guest) unshownOwn(family scope.Family) error {
	switch {
	case g.own != nil:
		return g.own.Unshown(family)
	case hasTokens(g.self) && len(g.self.Section(family.String())) == 0:
		return ErrHeadless
	}
	return nil
}

// unshownNote is what a module says whose family may be under a token that is wrong. It is no failure: the aggregate manager may come later.
func (g *Guest) unshownNote(r frame.Report) (notes []Note) {
	own := func(f scope.Family) bool { return f.String() == r.Module }
	if g.own == nil || r.Mode == Off || g.self.ReadToken == g.self.Slice.Tokens.Read { // of which its context says the same
		return nil
	}
	if i := slices.IndexFunc(scope.InstanceFamilies(), own); i >= 0 && g.own.Unshown(scope.InstanceFamilies()[i]) != nil {
		notes = append(notes, Note{Kind: frame.Waiting, About: r.Module, Why: "nothing under cometreadtoken: not there yet, or the token is wrong"})
	}
	return notes
}
