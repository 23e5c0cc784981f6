package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrNoReadToken: a slice is to be extended, and nothing says under which read token it stands.
var ErrNoReadToken = errors.New("the slice's read token is neither in the token file, nor in the properties of its VMs, nor given")

// Extended is what an Extend did.
type Extended struct {
	Created
	Tokens Tokens
	From   string // where the slice's read token was found: a file's path, or "given"
}

// Extend puts down the place-holders of further VMs under the read token that the slice has already. That comes from the token file
// at path, else from the unit properties that the slice's VMs name, else from whoever calls; it is never a new one. s is the whole
// slice as it is to be, or only what comes to it.
//
// The tokens are kept at path as OpenTokens does, and what stands is kept as Create does. Where nothing at all stands under the read
// token the error matches comet.ErrNotFound: the token is wrong, or it is Create that is wanted. A VM that stands already under a
// write token that nobody here knows is an error, which matches comet.ErrNoWriteToken. After either, nothing was written anywhere.
func (c *Controller) Extend(ctx context.Context, path string, s orca.Slice, given scope.Token) (Extended, error) {
	tokens, from, err := c.openStanding(ctx, path, s, given)
	if err != nil {
		return Extended{}, fmt.Errorf("extend slice %s: %w", s.ID, err)
	}
	created, err := c.Create(ctx, s, tokens)
	return Extended{created, tokens, from}, err
}

// openStanding returns the tokens of a slice that stands, which are on disk then, and where its read token was.
func (c *Controller) openStanding(ctx context.Context, path string, s orca.Slice, given scope.Token) (tokens Tokens, from string, err error) {
	unlock, err := atomicfile.Lock(ctx, path+".lock")
	if err != nil {
		return Tokens{}, "", fmt.Errorf("lock the token file: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if tokens, from, err = findTokens(path, s, given); err != nil {
		return Tokens{}, "", err
	}
	if err := c.stands(ctx, s, tokens); err != nil {
		return Tokens{}, "", err
	}
	tokens.cover(s)
	return tokens, from, tokens.save(path)
}

// findTokens gathers what is known of a slice's tokens, and makes none. Two that differ are an error.
func findTokens(path string, s orca.Slice, given scope.Token) (tokens Tokens, from string, err error) {
	tokens, err = loadTokensOf(path, s)
	switch {
	case err == nil:
		from = path
	case errors.Is(err, fs.ErrNotExist):
		tokens = Tokens{SliceID: s.ID, Write: map[scope.Key]scope.Token{}}
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
	case !given.IsZero() && given != tokens.Read:
		return Tokens{}, "", fmt.Errorf("the read token that is given is not the one in %s", from)
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

// stands makes sure that the read token is that of a slice which stands, and that what comes to it does not.
func (c *Controller) stands(ctx context.Context, s orca.Slice, tokens Tokens) error {
	entries, err := c.client.List(ctx, s.ID, scope.Family{}, tokens.Read)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fmt.Errorf("nothing stands under its read token: create it, or find the token that it has: %w", comet.ErrNotFound)
	}
	there := map[scope.Key]bool{}
	for _, e := range entries {
		there[e.Name.Key] = true
	}
	for _, vm := range s.VMs {
		if there[vm.ReservationID] && tokens.Write[vm.ReservationID].IsZero() {
			return fmt.Errorf("VM %s (%s) stands already: leave it out, or name the file with its properties: %w", vm.HostName, vm.ReservationID, comet.ErrNoWriteToken)
		}
	}
	return nil
}
