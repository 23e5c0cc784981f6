package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Tokens are the tokens of one slice. They print as [redacted].
type Tokens struct {
	SliceID scope.ContextID
	Read    scope.Token               // of the slice: who has it sees all VMs' entries
	Write   map[scope.Key]scope.Token // of each VM, by reservation ID
}

// Of returns the pair that belongs to a VM's entries.
func (t Tokens) Of(reservation scope.Key) scope.Tokens {
	return scope.Tokens{Read: t.Read, Write: t.Write[reservation]}
}

// OpenTokens returns the tokens of a slice, kept in a file of mode 0600: those that the file has, and new ones for what is missing,
// which are on disk when it returns. A file of another slice is an error, and so is one that others may read. Of several at once
// one makes the tokens and all others get the same; a file of this name with .lock behind it keeps them apart.
func OpenTokens(ctx context.Context, path string, s orca.Slice) (tokens Tokens, err error) {
	unlock, err := atomicfile.Lock(ctx, path+".lock")
	if err != nil {
		return Tokens{}, fmt.Errorf("lock the token file: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return openTokens(path, s)
}

func openTokens(path string, s orca.Slice) (Tokens, error) {
	t, err := loadTokensOf(path, s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t = Tokens{SliceID: s.ID, Read: scope.NewToken(), Write: map[scope.Key]scope.Token{}}
	case err != nil:
		return Tokens{}, err
	}
	if t.cover(s) {
		if err := t.save(path); err != nil {
			return Tokens{}, err
		}
	}
	return t, nil
}

// loadTokensOf loads the tokens of this slice and no other.
func loadTokensOf(path string, s orca.Slice) (Tokens, error) {
	t, err := LoadTokens(path)
	if err == nil && t.SliceID != s.ID {
		return Tokens{}, fmt.Errorf("token file %s belongs to slice %s, not to %s", path, t.SliceID, s.ID)
	}
	return t, err
}

// cover makes the write tokens that the slice's VMs lack, and reports whether there were any.
func (t Tokens) cover(s orca.Slice) (added bool) {
	for _, vm := range s.VMs {
		if _, have := t.Write[vm.ReservationID]; !have && vm.NeedsContext() {
			t.Write[vm.ReservationID] = scope.NewToken()
			added = true
		}
	}
	return added
}

// tokenFile is the file's form: the only place where tokens are written in clear.
type tokenFile struct {
	SliceID   string            `json:"sliceId"`
	ReadToken string            `json:"readToken"`
	Write     map[string]string `json:"writeTokens"`
}

// LoadTokens reads a file that OpenTokens made. A missing file is an error that matches fs.ErrNotExist. No error quotes a token.
func LoadTokens(path string) (Tokens, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Tokens{}, fmt.Errorf("token file: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Tokens{}, fmt.Errorf("token file: %w", err)
	}
	t, err := parseTokens(text)
	if err != nil {
		return Tokens{}, fmt.Errorf("token file %s: %w", path, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Tokens{}, fmt.Errorf("token file %s may be read by others (mode %04o); make new tokens, or chmod 600 it if nobody has read it", path, info.Mode().Perm())
	}
	return t, nil
}

func parseTokens(text []byte) (Tokens, error) {
	var f tokenFile
	if json.Unmarshal(text, &f) != nil {
		return Tokens{}, errors.New("is not what this program writes")
	}
	var err error
	t := Tokens{Write: map[scope.Key]scope.Token{}}
	if t.SliceID, err = scope.ParseContextID(f.SliceID); err != nil {
		return Tokens{}, fmt.Errorf("sliceId: %w", err)
	}
	if t.Read, err = scope.ParseToken(f.ReadToken); err != nil {
		return Tokens{}, fmt.Errorf("readToken: %w", err)
	}
	for reservation, token := range f.Write {
		key, err := scope.ParseKey(reservation)
		if err != nil {
			return Tokens{}, fmt.Errorf("writeTokens: %w", err)
		}
		if t.Write[key], err = scope.ParseToken(token); err != nil {
			return Tokens{}, fmt.Errorf("writeTokens, %s: %w", key, err)
		}
	}
	return t, nil
}

func (t Tokens) save(path string) error {
	f := tokenFile{SliceID: t.SliceID.String(), ReadToken: t.Read.Reveal(), Write: map[string]string{}}
	for key, token := range t.Write {
		f.Write[key.String()] = token.Reveal()
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	if err := atomicfile.Write(path, append(text, '\n'), atomicfile.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	return nil
}
