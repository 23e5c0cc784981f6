package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrNoReadToken: a slice is to be extended, and nothing says under which read token it stands.
var ErrNoReadToken = errors.New("the slice's read token is neither in the token file, nor in the properties of its VMs, nor given")

// Extend puts down the place-holders of further VMs under the read token that the slice has already. That comes from the token file
// at path, else from the unit properties that the slice's VMs name, else from whoever calls; it is never a new one. s is the whole
// slice as it is to be, or only what comes to it. Without groups in s the VMs come into those that stand; a group that does not is an
// error.
//
// The file at path is used as by Create, and what stands is kept. Where nothing at all stands under the read token the error matches
// comet.ErrNotFound: the token is wrong, or it is Create that is wanted. After that, and after what Create refuses as well, nothing was
// written anywhere.
func (c *Controller) Extend(ctx context.Context, path string, s orca.Slice, given scope.Token) (done Created, err error) {
	err = locked(ctx, path, func() error {
		tokens, from, err := findTokens(path, s, given)
		if err != nil {
			return err
		}
		there, err := c.list(ctx, tokens)
		if err != nil {
			return err
		}
		if len(there) == 0 {
			return fmt.Errorf("nothing stands under its read token: create it, or find the token that it has: %w", comet.ErrNotFound)
		}
		if s.Groups, err = joined(s.Groups, there.groups()); err != nil {
			return err
		}
		done, err = c.put(ctx, path, s, tokens, there)
		done.From = from
		return err
	})
	if err != nil {
		return done, fmt.Errorf("extend slice %s: %w", s.ID, err)
	}
	return done, nil
}

// joined returns the groups in which VMs come to those that stand.
func joined(wanted, stand []string) ([]string, error) {
	if len(wanted) == 0 {
		return stand, nil
	}
	for _, group := range wanted {
		if !slices.Contains(stand, group) {
			return nil, fmt.Errorf("the slice has no group %s; it has %s", group, strings.Join(stand, ", "))
		}
	}
	return wanted, nil
}

// findTokens gathers what is known of a slice's tokens, and makes none. Two files that differ are an error.
func findTokens(path string, s orca.Slice, given scope.Token) (tokens Tokens, from string, err error) {
	tokens, err = loadTokensOf(path, s.ID)
	switch {
	case err == nil:
		from = path
	case errors.Is(err, fs.ErrNotExist):
		tokens = newTokens(s.ID, scope.Token{})
	default:
		return Tokens{}, "", err
	}
	for _, vm := range s.VMs {
		if vm.Properties == "" {
			continue
		}
		if from, err = tokens.learn(vm, from); err != nil {
			return Tokens{}, "", err
		}
	}
	switch {
	case tokens.Read.IsZero() && given.IsZero():
		return Tokens{}, "", ErrNoReadToken
	case tokens.Read.IsZero():
		tokens.Read, from = given, "given"
	}
	return tokens, from, nil
}

// learn adds what the unit properties of a VM say, and returns where the read token is from, which may be there. Those of a VM that
// is yet to come may not be there.
func (t *Tokens) learn(vm orca.VM, from string) (string, error) {
	p, err := orca.LoadProperties(vm.Properties)
	if errors.Is(err, fs.ErrNotExist) {
		return from, nil
	}
	if err != nil {
		return "", err
	}
	unit, err := orca.NewUnit(p)
	if err != nil {
		return "", fmt.Errorf("%s: %w", vm.Properties, err)
	}
	wrong := func(property, format string, args ...any) (string, error) {
		return "", fmt.Errorf("%s: %w", vm.Properties, p.Errorf(property, format, args...))
	}
	has := unit.Slice.Tokens
	switch {
	case !unit.SliceID.IsZero() && unit.SliceID != t.SliceID:
		return wrong("unit.sliceid", "is another slice than %s", t.SliceID)
	case !unit.ReservationID.IsZero() && unit.ReservationID != vm.ReservationID:
		return wrong("unit.rid", "is another VM than %s", vm.ReservationID)
	case !has.Read.IsZero() && !t.Read.IsZero() && has.Read != t.Read:
		return wrong("slice.comet.readToken", "is not the one in %s", from)
	case !has.Write.IsZero() && !t.Write[vm.ReservationID].IsZero() && has.Write != t.Write[vm.ReservationID]:
		return wrong("slice.comet.writeToken", "is not the one in the token file")
	}
	if !has.Read.IsZero() && t.Read.IsZero() {
		t.Read, from = has.Read, vm.Properties
	}
	if !has.Write.IsZero() {
		t.Write[vm.ReservationID] = has.Write
	}
	return from, nil
}
