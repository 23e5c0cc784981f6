package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/secrecy"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

const readTokenVariable = "COMET_READ_TOKEN"

// ReadToken returns the read token that flags or environment give.
func ReadToken(c *cli.Context) (scope.Token, error) {
	return token(c, flagReadToken, readTokenVariable, "read", func(t controller.Tokens) (scope.Token, error) { return t.Read, nil })
}

// HasReadToken tells whether flags or environment give a read token.
func HasReadToken(c *cli.Context) bool {
	text := os.Getenv(readTokenVariable)
	return Given(c, flagReadToken) != "" || text != "" && !orca.Unset(text)
}

// Tokens returns the pair that flags or environment give. Of the file that keeps a slice's tokens it is the VM's whose key is given.
func Tokens(c *cli.Context, key scope.Key) (scope.Tokens, error) {
	read, err := ReadToken(c)
	if err != nil {
		return scope.Tokens{}, err
	}
	write, err := token(c, flagWriteToken, "COMET_WRITE_TOKEN", "write", func(t controller.Tokens) (scope.Token, error) {
		if t.Write[key].IsZero() {
			return scope.Token{}, Usage("put the entry's own into a file", "no VM with the key %s has a write token in it", key)
		}
		return t.Write[key], nil
	})
	return scope.Tokens{Read: read, Write: write}, err
}

// token reads a token out of a file or the environment. In the file that keeps a slice's tokens, pick chooses.
func token(c *cli.Context, flag, variable, kind string, pick func(controller.Tokens) (scope.Token, error)) (scope.Token, error) {
	source, text := variable, os.Getenv(variable)
	if path := c.String(flag); path != "" && !orca.Unset(path) {
		content, err := os.ReadFile(path)
		if err != nil {
			return scope.Token{}, Input(fmt.Errorf("%s token: %w", kind, err))
		}
		source, text = path, strings.TrimSpace(string(content))
		if strings.HasPrefix(text, "{") {
			tokens, err := controller.LoadTokens(path)
			if err != nil {
				return scope.Token{}, Input(err)
			}
			t, err := pick(tokens)
			if err != nil {
				err = fmt.Errorf("%s token: %s: %w", kind, path, err)
			}
			return t, err
		}
		warnExposed(c, path)
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

// warnExposed warns of a file with secrets in it that others may read. Those that our programs write themselves are refused then.
func warnExposed(c *cli.Context, path string) {
	const said = "exposed: "
	if mode, open := secrecy.Exposed(path); open && c.App.Metadata[said+path] == nil {
		c.App.Metadata[said+path] = true
		fmt.Fprintf(c.App.ErrWriter, "%s: warning: others may read %s (mode %04o), which has secrets in it\n", c.App.Name, path, mode)
	}
}
