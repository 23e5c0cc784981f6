package controller

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Created is what a Create or an Extend did.
type Created struct {
	New, Kept int // place-holders that it put down, and that stood already
	Tokens    Tokens
	Groups    []string // that the VMs are in
	From      string   // of an Extend: where the slice's read token was found, a file's path or "given"
}

func (c Created) String() string {
	return fmt.Sprintf("%s created, %d kept", count(c.New, "place-holder", "place-holders"), c.Kept)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Create puts down the place-holders of the slice's VMs. What stands already under the slice's read token is kept as it is, so that
// it may be repeated, and a VM that has filled in its entry is never blanked. When it fails, or ctx ends, it withdraws what it
// created itself; the error then also says what it could not withdraw.
//
// The tokens are kept in the file at path, of mode 0600: those that it has are used, what is missing is made, and all are on disk before
// they are used. A file of another slice is an error, and so is one that others may read. Of several at once that have the same file one
// goes after the other; a file of this name with .lock behind it keeps them apart.
//
// A VM that stands already under a write token that is not in the file is an error, which matches comet.ErrNoWriteToken; so is a host
// name that another VM of the slice has. After either nothing was written anywhere.
func (c *Controller) Create(ctx context.Context, path string, s orca.Slice) (done Created, err error) {
	err = locked(ctx, path, func() error {
		tokens, err := loadTokensOf(path, s.ID)
		if errors.Is(err, fs.ErrNotExist) {
			tokens = newTokens(s.ID, scope.NewToken())
			tokens.cover(s)
			err = tokens.save(path)
		}
		if err != nil {
			return err
		}
		there, err := c.list(ctx, tokens)
		if err != nil {
			return err
		}
		done, err = c.put(ctx, path, s, tokens, there)
		return err
	})
	if err != nil {
		return done, fmt.Errorf("create slice %s: %w", s.ID, err)
	}
	return done, nil
}

// put puts down what does not stand yet. It is known what stands before anything is created: after an attempt that broke off, a
// place-holder that stood before could not be told from one of ours.
func (c *Controller) put(ctx context.Context, path string, s orca.Slice, tokens Tokens, there standing) (Created, error) {
	if err := there.fits(s, tokens); err != nil {
		return Created{}, err
	}
	if tokens.cover(s) {
		if err := tokens.save(path); err != nil {
			return Created{}, err
		}
	}
	all, err := c.placeHolders(s, tokens)
	if err != nil {
		return Created{}, err
	}
	stands := map[scope.Name]bool{}
	for _, e := range there {
		stands[e.Name] = true
	}
	missing := slices.DeleteFunc(slices.Clone(all), func(p comet.Item) bool { return stands[p.Name] })
	done := Created{Tokens: tokens, Groups: s.Groups}
	made, err := c.client.CreateMany(ctx, missing, c.Bulk)
	if err != nil {
		return done, errors.Join(err, c.undo(ctx, made))
	}
	done.New, done.Kept = len(made), len(all)-len(made)
	return done, nil
}

// undoTime bounds the withdrawal of what a failed Create made, which goes on when the caller's own time is over.
const undoTime = 30 * time.Second

// undo withdraws what was made, and returns what came of that. Where no head answers it stops: each further entry would take its time,
// and say the same.
func (c *Controller) undo(ctx context.Context, made []comet.Item) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if len(made) == 0 {
		return nil
	}
	bulk := comet.Bulk{Parallel: c.Bulk.Parallel, Progress: c.Withdrawing}
	_, err := c.client.DeleteMany(ctx, made, bulk)
	if err != nil && !errors.Is(err, comet.ErrUnavailable) { // one was refused, which others need not be
		bulk.All = true
		_, err = c.client.DeleteMany(ctx, made, bulk)
	}
	switch {
	case err == nil:
		return errors.New("what was created is gone again")
	case errors.Is(err, comet.ErrUnavailable):
		return fmt.Errorf("withdraw what was created: %w; there may be still %s", err, names(made))
	}
	return fmt.Errorf("withdraw what was created: %w", err)
}

// names names a few entries.
func names(items []comet.Item) string {
	const few = 8
	var list []string
	for _, i := range items[:min(few, len(items))] {
		list = append(list, i.Name.String())
	}
	text := strings.Join(list, ", ")
	if len(items) > few {
		text += fmt.Sprintf(" and %d more", len(items)-few)
	}
	return text
}
