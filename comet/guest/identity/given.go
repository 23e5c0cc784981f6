package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Given is what flags say, for a VM without any metadata. The slice and the VM's key in it, its ReservationID, are needed.
type Given struct{ UserData orca.UserData }

// Name says that nothing is asked.
func (g Given) Name() string { return "flags" }

// Look returns what is given. The key need not be unique beyond the slice, so the slice is part of the ID.
func (g Given) Look(context.Context) (Identity, error) {
	u := g.UserData
	if u.SliceID.IsZero() || u.ReservationID.IsZero() {
		return Identity{}, broken(errors.New("the slice and the VM's key in it are needed"))
	}
	text, err := u.INI()
	if err != nil {
		return Identity{}, broken(fmt.Errorf("given: %w", err))
	}
	return Identity{
		UserData:   u,
		Text:       scope.Hide(string(text)),
		InstanceID: sliceAnd(u.SliceID, u.ReservationID.String()),
		Source:     g.Name(),
	}, nil
}
