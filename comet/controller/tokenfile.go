package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// tokenFile is the file's form: the only place where tokens are written in clear.
type tokenFile struct {
	SliceID   string            `json:"sliceId"`
	Groups    []string          `json:"groups"`
	VMs       []orca.VM         `json:"vms"`
	Withdrawn []orca.VM         `json:"withdrawn,omitempty"`
	ReadToken string            `json:"readToken"`
	Write     map[string]string `json:"writeTokens"`
}

// LoadTokens reads the file in which a slice's tokens are kept. A missing file is an error that matches fs.ErrNotExist. No error quotes
// a token.
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
	id, err := scope.ParseContextID(f.SliceID)
	if err != nil {
		return Tokens{}, fmt.Errorf("sliceId: %w", err)
	}
	read, err := scope.ParseToken(f.ReadToken)
	if err != nil {
		return Tokens{}, fmt.Errorf("readToken: %w", err)
	}
	t := newTokens(id, read)
	t.Groups, t.VMs, t.Withdrawn = f.Groups, f.VMs, f.Withdrawn
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

// loadTokensOf loads the tokens of this slice and no other.
func loadTokensOf(path string, id scope.ContextID) (Tokens, error) {
	t, err := LoadTokens(path)
	if err == nil && t.SliceID != id {
		return Tokens{}, fmt.Errorf("token file %s belongs to slice %s, not to %s", path, t.SliceID, id)
	}
	return t, err
}

// save puts the tokens on disk, where they are when it returns.
func (t Tokens) save(path string) error {
	f := tokenFile{
		SliceID: t.SliceID.String(), Groups: append([]string{}, t.Groups...), VMs: append([]orca.VM{}, t.VMs...), Withdrawn: t.Withdrawn,
		ReadToken: t.Read.Reveal(), Write: map[string]string{},
	}
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

// locked does something to the slice whose tokens are at path while nobody else does who has the same file: what one is withdrawing
// another would believe to stand.
func locked(ctx context.Context, path string, do func() error) (err error) {
	unlock, err := atomicfile.Lock(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return do()
}
