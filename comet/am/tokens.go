package am

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// ErrSaved: the file for a VM's tokens cannot be used as it is; nothing was changed.
var ErrSaved = errors.New("cannot be used for the VM's tokens")

// OpenTokens returns the two tokens of a VM's own entries: those of its unit properties, else those that the file has, else new ones.
// They are in the file, of mode 0600 and synced, when it returns, so that whatever is put down with them can be taken away again.
// What the file must not be is an error that matches ErrSaved: one with other properties in it, one that makes no sense, one with
// other tokens than the unit's properties, one that others may read; so is half a pair, in either.
func OpenTokens(ctx context.Context, path string, unit orca.Unit) (tokens scope.Tokens, err error) {
	unlock, err := atomicfile.Lock(ctx, path+".lock")
	if err != nil {
		return scope.Tokens{}, fmt.Errorf("lock the saved tokens: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	saved, err := loadTokens(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return scope.Tokens{}, err
	}
	if tokens, err = agreed(path, unit.Tokens, saved); err != nil || saved != (scope.Tokens{}) {
		return tokens, err
	}
	if tokens == (scope.Tokens{}) {
		tokens = scope.NewTokens()
	}
	return tokens, orca.SaveProperties(path,
		orca.KeyValue{Key: orca.PropertyReadToken, Value: scope.Hide(tokens.Read.Reveal())},
		orca.KeyValue{Key: orca.PropertyWriteToken, Value: scope.Hide(tokens.Write.Reveal())})
}

// LoadTokens returns the two tokens of a VM's own entries as OpenTokens does, but makes none: where neither the unit's properties nor the file
// has them, the error matches fs.ErrNotExist. Who removes a VM has nothing to remove with new ones.
func LoadTokens(path string, unit orca.Unit) (scope.Tokens, error) {
	saved, err := loadTokens(path)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && unit.Tokens != scope.Tokens{}) {
		return scope.Tokens{}, err
	}
	return agreed(path, unit.Tokens, saved)
}

// agreed returns the tokens that are given or saved, if there are any; both must be the same.
func agreed(path string, given, saved scope.Tokens) (scope.Tokens, error) {
	none := scope.Tokens{}
	switch {
	case given != none && (given.Write.IsZero() || given.Read.IsZero()):
		return none, fmt.Errorf("%w: the unit's properties have one of its tokens and not the other", ErrIncomplete)
	case given != none && saved != none && given != saved:
		return none, fmt.Errorf("%s %w: it has others than the unit's properties", path, ErrSaved)
	case given != none:
		return given, nil
	}
	return saved, nil
}

// loadTokens reads what OpenTokens saved.
func loadTokens(path string) (scope.Tokens, error) {
	info, err := os.Stat(path)
	if err != nil {
		return scope.Tokens{}, fmt.Errorf("saved tokens: %w", err)
	}
	p, err := orca.LoadProperties(path)
	if err != nil {
		return scope.Tokens{}, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	for _, key := range p.Keys() {
		if key != orca.PropertyReadToken && key != orca.PropertyWriteToken {
			return scope.Tokens{}, fmt.Errorf("%s %w: it has other properties in it; name a file of its own", path, ErrSaved)
		}
	}
	unit, err := orca.NewUnit(p)
	if err == nil && (unit.Tokens.Read.IsZero() || unit.Tokens.Write.IsZero()) {
		err = errors.New("it has not both of them")
	}
	if err != nil {
		return scope.Tokens{}, fmt.Errorf("%s %w: %w", path, ErrSaved, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return scope.Tokens{}, fmt.Errorf("%s %w: others may read it (mode %04o); make new tokens, or chmod 600 it if nobody has read it", path, ErrSaved, mode)
	}
	return unit.Tokens, nil
}
