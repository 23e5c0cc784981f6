package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/renci-nrig/comet-go/cmd/internal/secrecy"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Token is a token that was given.
type Token struct {
	Kind  string // "read" or "write"
	From  string // the file or variable that it is from
	Token scope.Token
	Err   error // why there is none
}

const newToken = "make one with: cometctl token new"

func examineTokens(tokens []Token) (checks []Check) {
	for i, t := range tokens {
		checks = append(checks, t.check())
		for _, other := range tokens[:i] {
			if t.Err == nil && t.Token == other.Token && t.Kind != other.Kind {
				checks = append(checks, Check{t.From, "tokens", Problem,
					"read and write token are the same, which heads refuse: whoever may read could write", newToken})
			}
		}
	}
	return checks
}

func (t Token) check() Check {
	c := Check{About: t.From, Step: t.Kind + " token"}
	strong, portable := t.Token.Strong(), t.Token.Portable()
	switch {
	case t.Err != nil:
		c.State, c.Says, c.DoThis = Problem, t.Err.Error(), "give a file with the token and nothing else, or "+newToken
	case portable != nil && strong != nil:
		c.State, c.Says, c.DoThis = Warning, strong.Error()+"; "+portable.Error(), newToken
	case portable != nil:
		c.State, c.Says, c.DoThis = Warning, portable.Error(), newToken
	case strong != nil:
		c.State, c.Says, c.DoThis = Warning, strong.Error()+", which heads may insist on", newToken
	default:
		c.State, c.Says = OK, "strong enough, in the alphabet of every head"
	}
	return c
}

// exposed warns about files with secrets that others can read or change.
func exposed(files tlsconfig.Files, more []string) (checks []Check) {
	key := files.Key
	if key == "" {
		key = files.Cert
	}
	for _, path := range append([]string{files.KeyStore, key}, more...) {
		if mode, open := secrecy.Exposed(path); open {
			checks = append(checks, Check{path, "secrecy", Warning,
				fmt.Sprintf("holds a secret, and its mode %#o lets others than its owner at it", mode), "chmod 600 " + path})
		}
	}
	return checks
}

// integrity warns about a CA that everybody on this machine can replace: heads of anybody would be trusted.
func integrity(files tlsconfig.Files) (checks []Check) {
	if files.CA == "" {
		return nil
	}
	warn := func(what string, mode fs.FileMode, doThis string) {
		checks = append(checks, Check{files.CA, "integrity", Warning,
			fmt.Sprintf("says which heads are trusted, and %s %#o lets every user of this machine change it", what, mode.Perm()), doThis})
	}
	if info, err := os.Stat(files.CA); err == nil && info.Mode().Perm()&0o002 != 0 {
		warn("its mode", info.Mode(), "chmod 644 "+files.CA)
	}
	dir := filepath.Dir(files.CA)
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		warn("the mode of its folder", info.Mode(), "chmod o-w "+dir)
	}
	return checks
}
