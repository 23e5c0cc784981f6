package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/secrecy"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

const readTokenVariable = "COMET_READ_TOKEN"

// ReadToken returns the read token that flags or environment give.
func ReadToken(c *cli.Context) (scope.Token, error) {
	return token(c, flagReadToken, readTokenVariable, "read")
}

// HasReadToken tells whether flags or environment give a read token.
func HasReadToken(c *cli.Context) bool {
	text := os.Getenv(readTokenVariable)
	return Given(c, flagReadToken) != "" || text != "" && !orca.Unset(text)
}

// Tokens returns the pair that flags or environment give.
func Tokens(c *cli.Context) (scope.Tokens, error) {
	read, err := ReadToken(c)
	if err != nil {
		return scope.Tokens{}, err
	}
	write, err := token(c, flagWriteToken, "COMET_WRITE_TOKEN", "write")
	return scope.Tokens{Read: read, Write: write}, err
}

func token(c *cli.Context, flag, variable, kind string) (scope.Token, error) {
	source, text := variable, os.Getenv(variable)
	if path := c.String(flag); path != "" && !orca.Unset(path) {
		content, err := os.ReadFile(path)
		if err != nil {
			return scope.Token{}, Input(fmt.Errorf("%s token: %w", kind, err))
		}
		if mode, open := secrecy.Exposed(path); open {
			fmt.Fprintf(c.App.ErrWriter, "%s: warning: others may read %s (mode %04o)\n", c.App.Name, path, mode)
		}
		source, text = path, strings.TrimSpace(string(content))
	}
	if text == "" && source != variable {
		return scope.Token{}, Usage("put the token into it", "%s token: %s is empty", kind, source)
	}
	if text == "" || orca.Unset(text) {
		return scope.Token{}, Usage(fmt.Sprintf("give --%s or %s", flag, variable), "no %s token is given", kind)
	}
	t, err := scope.ParseToken(text)
	if err != nil {
		return scope.Token{}, Input(fmt.Errorf("%s token of %s: %w", kind, source, err))
	}
	return t, nil
}
