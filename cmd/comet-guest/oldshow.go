package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/scope"
)

// pair is an element as the older tools hold it, and as user data without heads has it: its key, and the other fields with colons between.
type pair struct{ key, value string }

// pairsOf returns the elements of a section: what heads say, or, where the user data has no heads, what stands there.
func pairsOf(section string, t guest.Told, self identity.Identity) (pairs []pair) {
	if self.UserData.CometHost == "" {
		for _, kv := range self.UserData.Section(section) {
			pairs = append(pairs, pair{kv.Key, kv.Value.Reveal()})
		}
		return pairs
	}
	switch section {
	case "users":
		for _, u := range t.Users {
			pairs = append(pairs, pair{u.Login, u.Sudo + ":" + pythonList(u.Keys, func(k string) string { return "u" + pythonText(k) })})
		}
	case "interfaces":
		for _, i := range t.Interfaces {
			pairs = append(pairs, pair{scope.CanonicalMAC(i.MAC), strings.Join([]string{i.State, i.IPVersion, i.IP}, ":")})
		}
	case "storage":
		for _, s := range t.Storage {
			pairs = append(pairs, pair{s.Device, strings.Join([]string{s.Type, s.TargetIP, s.TargetPort, s.TargetLUN, s.ChapUser, s.ChapSecret.Reveal(),
				s.ShouldAttach, s.FSType, s.FSOptions, s.ShouldFormat, s.MountPoint}, ":")})
		}
	case "routes":
		for _, r := range t.Routes {
			pairs = append(pairs, pair{r.Network, r.NextHop})
		}
	case "scripts":
		for _, s := range t.Scripts {
			pairs = append(pairs, pair{s.Name, s.Body.Reveal()})
		}
	}
	return pairs
}

// showOld prints a section as the older tools did, which is as Python 2 prints a list of pairs.
func showOld(c *urfave.Context, section string, t guest.Told, self identity.Identity) error {
	if section == "routes" {
		fmt.Fprintln(c.App.Writer, "Router: "+cmp.Or(strings.ToLower(self.UserData.Router), "user"))
	}
	pairs := pairsOf(section, t, self)
	switch {
	case c.IsSet("script"):
		return printOld(c, pairs, c.String("script"), "No user script found.")
	case len(pairs) == 0:
		return missing(c, "Not found", "%s", section)
	case !c.Bool("all-scripts"):
		_, err := fmt.Fprintln(c.App.Writer, pythonList(pairs, pythonPair))
		return err
	}
	for _, p := range pairs {
		fmt.Fprintln(c.App.Writer, pythonPair(p))
	}
	return nil
}

// getOld prints a field of a section as neuca-get did: of another section than [global] it is what heads say.
func getOld(c *urfave.Context, section, field string) error {
	s, err := errand(c)
	if err != nil {
		return err
	}
	t, self, err := s.Told(c.Context)
	return errors.Join(printOld(c, pairsOf(section, t, self), field, "Not found"), told(err))
}

// printOld prints the value of a key, byte for byte, or a text where there is none.
func printOld(c *urfave.Context, pairs []pair, key, none string) error {
	i := slices.IndexFunc(pairs, func(p pair) bool { return strings.EqualFold(p.key, key) })
	if i < 0 {
		return missing(c, none, "%s", key)
	}
	_, err := fmt.Fprintln(c.App.Writer, pairs[i].value)
	return err
}

func pythonPair(p pair) string { return "(" + pythonText(p.key) + ", " + pythonText(p.value) + ")" }

func pythonList[E any](elements []E, text func(E) string) string {
	var parts []string
	for _, e := range elements {
		parts = append(parts, text(e))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// pythonText is a text as Python 2 writes it in its own source: repr(str).
func pythonText(text string) string {
	quote := byte('\'')
	if strings.Contains(text, "'") && !strings.Contains(text, `"`) {
		quote = '"'
	}
	b := []byte{quote}
	for _, c := range []byte(text) {
		switch i := strings.IndexByte("\t\n\r", c); {
		case i >= 0:
			b = append(b, '\\', "tnr"[i])
		case c == quote || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > '~':
			b = fmt.Appendf(b, `\x%02x`, c)
		default:
			b = append(b, c)
		}
	}
	return string(append(b, quote))
}
