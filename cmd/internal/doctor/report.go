package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/renci-nrig/comet-go/comet"
)

// State says how a check went.
type State string

// The states of a check.
const (
	OK      State = "ok"
	Warning State = "warning" // works, but is worth a look
	Problem State = "problem" // does not work, or not for long
)

// Check is one thing that was looked at.
type Check struct {
	About  string `json:"about"` // a head's base URL, a file, a token, or AllHeads
	Step   string `json:"step"`  // what was looked at, such as "dns" or "tls"
	State  State  `json:"state"`
	Says   string `json:"says"`             // what was found, on one line
	DoThis string `json:"doThis,omitempty"` // what to do about it; every problem and every warning has it
}

// AllHeads is what checks are about that compare the heads.
const AllHeads = "all heads"

// Report is all that was found: first the configuration, then each head in the order given, then what they have in common.
type Report struct {
	Well   bool     `json:"well"` // no problem; warnings there may be
	Heads  []string `json:"heads"`
	Checks []Check  `json:"checks"`
}

// ErrConfiguration is what Err matches where files, flags or tokens are wrong.
var ErrConfiguration = errors.New("the configuration is wrong")

// The steps whose problems decide what Err matches.
const (
	stepURL       = "url"
	stepDNS       = "dns"
	stepConnect   = "connect"
	stepHandshake = "handshake" // that did not come to showing certificates
	stepTLS       = "tls"       // trust, of ours in theirs and of theirs in ours
	stepVersion   = "version"
	stepStore     = "store" // of one head: whether it answers; of all: whether it is one
)

// Err returns nil where all is well. Otherwise the error tells how many problems there are and matches ErrConfiguration, else
// comet.ErrUnauthorized where trust fails at every head, else comet.ErrUnavailable where no head can be used, else none of them.
func (r Report) Err() error {
	problems, kind := 0, error(nil)
	unusable, distrusted := map[string]bool{}, map[string]bool{}
	for _, c := range r.Checks {
		if c.State != Problem {
			continue
		}
		problems++
		switch {
		case c.About != AllHeads && !slices.Contains(r.Heads, c.About) || c.Step == stepURL:
			kind = ErrConfiguration
		case c.About == AllHeads:
		case c.Step == stepTLS:
			unusable[c.About], distrusted[c.About] = true, true
		case c.Step == stepDNS || c.Step == stepConnect || c.Step == stepHandshake || c.Step == stepVersion || c.Step == stepStore:
			unusable[c.About] = true
		}
	}
	switch {
	case problems == 0:
		return nil
	case kind == nil && len(distrusted) == len(r.Heads):
		kind = comet.ErrUnauthorized
	case kind == nil && len(unusable) == len(r.Heads):
		kind = comet.ErrUnavailable
	}
	return &found{problems, kind}
}

// found is an error that counts problems.
type found struct {
	problems int
	kind     error
}

func (f *found) Error() string {
	if f.problems == 1 {
		return "1 problem found"
	}
	return fmt.Sprintf("%d problems found", f.problems)
}

func (f *found) Unwrap() error { return f.kind }

// maxText bounds what one check says, in runes: certificates come from strangers.
const maxText = 600

// printable makes one harmless line of a text.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimSpace(text))
	if runes := []rune(text); len(runes) > maxText {
		return string(runes[:maxText]) + "…"
	}
	return text
}

// listed joins texts, the first few of them.
func listed(texts []string) string {
	const most = 8
	if len(texts) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), len(texts)-most)
	}
	return strings.Join(texts, ", ")
}
