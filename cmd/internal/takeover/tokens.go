package takeover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/renci-nrig/comet-go/scope"
)

// Owner says which write token belongs to what a read token shows in a context: to all of it, or where they are given to a family
// or a key alone.
type Owner struct {
	Context scope.ContextID
	Family  scope.Family // zero: all
	Key     scope.Key    // zero: all
	Tokens  scope.Tokens
	Place   string // where it stands, for errors
}

// object is what a file of tokens holds, one after the other: an owner, or what comet-controller keeps of a slice.
type object struct {
	Context    string `json:"context"`
	Family     string `json:"family"`
	Key        string `json:"key"`
	ReadToken  string `json:"readToken"`
	WriteToken string `json:"writeToken"`

	SliceID     string            `json:"sliceId"`
	WriteTokens map[string]string `json:"writeTokens"`

	// What comet-controller keeps beside the tokens; it says nothing of them.
	Groups    json.RawMessage `json:"groups"`
	VMs       json.RawMessage `json:"vms"`
	Withdrawn json.RawMessage `json:"withdrawn"`
}

// LoadTokens reads a file of tokens. One that others may read is an error. No error quotes a token.
func LoadTokens(path string) ([]Owner, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("file of tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("file of tokens: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("file of tokens %s may be read by others (mode %04o); chmod 600 it", path, info.Mode().Perm())
	}
	owners, err := parseTokens(f)
	if err != nil {
		return nil, fmt.Errorf("file of tokens %s: %w", path, err)
	}
	return owners, nil
}

func parseTokens(r io.Reader) (owners []Owner, err error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	for i := 1; ; i++ {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		place := fmt.Sprintf("object %d", i)
		if err != nil { // which may quote
			return nil, fmt.Errorf("%s is not one with context, family, key, readToken and writeToken", place)
		}
		more, err := o.owners(place)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		owners = append(owners, more...)
	}
	if len(owners) == 0 {
		return nil, errors.New("there are no tokens in it")
	}
	return owners, checkTwice(owners)
}

func (o object) owners(place string) ([]Owner, error) {
	if o.SliceID == "" {
		owner, err := o.owner(place)
		return []Owner{owner}, err
	}
	if o.Context+o.Family+o.Key+o.WriteToken != "" {
		return nil, errors.New("it has members of two kinds of objects")
	}
	var owners []Owner
	for key, write := range o.WriteTokens {
		owner, err := object{Context: o.SliceID, Key: key, ReadToken: o.ReadToken, WriteToken: write}.owner(place)
		if err != nil {
			return nil, err
		}
		owners = append(owners, owner)
	}
	return owners, nil
}

func (o object) owner(place string) (owner Owner, err error) {
	owner.Place = place
	if owner.Context, err = scope.ParseContextID(o.Context); err != nil {
		return owner, err
	}
	if o.Family != "" {
		if owner.Family, err = scope.ParseFamily(o.Family); err != nil {
			return owner, err
		}
	}
	if o.Key != "" {
		if owner.Key, err = scope.ParseKey(o.Key); err != nil {
			return owner, err
		}
	}
	if owner.Tokens.Read, err = scope.ParseToken(o.ReadToken); err != nil {
		return owner, fmt.Errorf("readToken: %w", err)
	}
	if owner.Tokens.Write, err = scope.ParseToken(o.WriteToken); err != nil {
		return owner, fmt.Errorf("writeToken: %w", err)
	}
	return owner, nil
}

// checkTwice finds entries that would have two write tokens.
func checkTwice(owners []Owner) error {
	first := map[Owner]Owner{}
	for _, o := range owners {
		what := o
		what.Tokens.Write, what.Place = scope.Token{}, ""
		if before, twice := first[what]; twice && before.Tokens != o.Tokens {
			return fmt.Errorf("%s and %s have different write tokens for the same entries", before.Place, o.Place)
		}
		first[what] = o
	}
	return nil
}
