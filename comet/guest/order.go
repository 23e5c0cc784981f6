package guest

import (
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// order is what holds scripts back until users are there, whom they may need.
type order struct {
	patience time.Duration // how long users that cannot be made may take; none in a single pass
	asked    bool          // in this pass users were looked after
	users    string        // and these
}

// accounts returns the source of the users that are given accounts: users that only user data names are listed, and no more. What there
// is when it is asked is noted for the scripts of that pass.
func (g *Guest) accounts() frame.Source[scope.User] {
	return func() (frame.Wanted[scope.User], error) {
		if g.own == nil {
			return frame.Wanted[scope.User]{}, nil
		}
		value, _ := g.own.Own(scope.FamilyUsers)
		g.order.asked, g.order.users = true, string(value)
		return g.sources.users()
	}
}

// patience is that of a guest that runs. Behind it scripts begin all the same: one user who can never be made stops none for ever.
const patience = 5 * time.Minute

// withoutUsers says why scripts wait: heads told of users since those were looked after, or something, such as the start of the machine,
// keeps them from being made.
func (g *Guest) withoutUsers() (why string) {
	if g.order.asked {
		if now, _ := g.own.Own(scope.FamilyUsers); string(now) != g.order.users {
			return "waits for users, which have just changed"
		}
	}
	since := g.runner.Failing("users")
	if since.IsZero() || time.Since(since) >= g.order.patience {
		return ""
	}
	return "waits for users, which have failed, until " + since.Add(g.order.patience).UTC().Format(time.RFC3339)
}
