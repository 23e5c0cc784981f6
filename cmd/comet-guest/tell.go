package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
)

// printNotes prints what people should know beside what is changed: why a context's heads are not heard, once, and what modules have to
// say. What several say alike is said once.
func printNotes(c *urfave.Context, st guest.Status) {
	for _, failing := range st.Contexts {
		if failing.Error != "" {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", contextName(failing), failing.Error)
		}
	}
	for _, n := range notesOf(st.Modules) {
		fmt.Fprintln(c.App.ErrWriter, n)
	}
	for _, m := range st.Modules {
		if m.State == guest.StateFailed && m.Error != "" {
			fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", m.Name, m.Error)
		}
	}
}

func contextName(c guest.ContextStatus) string {
	return "context " + c.Context + ", key " + c.Key
}

// said is a note with all who say it, of what; where several do, each has its own.
type said struct {
	guest.Note
	modules, abouts []string
}

func notesOf(modules []guest.ModuleStatus) (lines []string) {
	var all []said
	for _, m := range modules {
		for _, n := range m.Notes {
			i := slices.IndexFunc(all, func(s said) bool { return s.Kind == n.Kind && s.Why == n.Why })
			if i < 0 {
				i, all = len(all), append(all, said{Note: n})
			}
			all[i].modules, all[i].abouts = with(all[i].modules, m.Name), with(all[i].abouts, n.About)
		}
	}
	for _, s := range all {
		who := strings.Join(s.modules, ", ")
		if len(s.modules) == 1 {
			who += ": " + strings.Join(s.abouts, ", ")
		}
		lines = append(lines, fmt.Sprintf("%s: %s (%s)", who, s.Why, s.Kind))
	}
	return lines
}

// with adds a name to those that are there.
func with(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// printNotHere says what was not looked at, since it acts on the machine itself.
func printNotHere(c *urfave.Context, st guest.Status) {
	var others []string
	for _, m := range st.Modules {
		switch {
		case m.State != guest.StateNotHere:
		case len(m.Told) > 0:
			fmt.Fprintf(c.App.Writer, "%s: not looked at below --root; it is told of %s: comet-guest show --root %s %s\n", m.Name, someOf(m.Told), c.String("root"), m.Name)
		default:
			others = append(others, m.Name)
		}
	}
	if len(others) > 0 {
		fmt.Fprintf(c.App.Writer, "%s: not looked at below --root\n", strings.Join(others, ", "))
	}
}

// someOf lists names, of many only the first.
func someOf(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// summary is an error in few words, after its parts have been printed one by one.
type summary struct {
	text string
	error
}

func (s summary) Error() string { return s.text }
func (s summary) Unwrap() error { return s.error }

// summed is the error of a pass in few words, with what to do.
func summed(c *urfave.Context, st guest.Status, err error) error {
	if errors.Is(err, guest.ErrHeadless) {
		return summary{guest.ErrHeadless.Error(), cli.Input(err)}
	}
	parts := failing(c, st)
	for _, m := range st.Modules {
		if m.State == guest.StateFailed && m.Error != "" {
			parts = append(parts, m.Name+" has failed")
		}
	}
	if err == nil || len(parts) == 0 {
		return told(err)
	}
	return summary{strings.Join(parts, "; "), told(err)}
}

// failing says of each context that fails what to do about it.
func failing(c *urfave.Context, st guest.Status) (parts []string) {
	for _, of := range st.Contexts {
		look := placesOf(c, of.Context == c.String("slice"))
		switch of.Failure {
		case "":
		case guest.NoHead:
			parts = append(parts, "no head of "+of.Context+" is reached, and what was known before holds: look at "+look.heads+" and at the network")
		case guest.Refused: // which of reading is about trust alone
			parts = append(parts, "heads of "+of.Context+" are not trusted: look at "+look.trust)
		case guest.Invisible:
			parts = append(parts, "heads show nothing of this VM: look at "+look.vm)
		default:
			parts = append(parts, "heads of "+of.Context+" do not answer as they should")
		}
	}
	return parts
}

// places are where it stands what a context goes by.
type places struct{ heads, trust, vm, sliceRead, unitRead string }

// placesOf names the flags of a context that they give, else fields of the user data, and the file where one is named.
func placesOf(c *urfave.Context, given bool) places {
	if given {
		const read = "the read token"
		return places{"--comethost", "--cacert and --server-name", "--slice, --key, --group and at the read token", read, read}
	}
	in := " in " + cmp.Or(c.String("user-data"), "the user data")
	return places{
		heads:     "comethost" + in,
		trust:     "cometcacert and cometservername" + in + ", at --cacert and at /" + guest.DefaultCA,
		vm:        "slice_id, reservation_id, comethostsgroupwrite, cometpubkeysgroupwrite and slicecometreadtoken" + in,
		sliceRead: "slicecometreadtoken" + in,
		unitRead:  "cometreadtoken" + in,
	}
}

// errorOf is the error of a context, as its status tells it, with the exit code that it stands for.
func errorOf(c guest.ContextStatus) error {
	text := contextName(c) + ": " + c.Error
	switch c.Failure {
	case guest.NoHead:
		return summary{text, comet.ErrUnavailable}
	case guest.Refused:
		return summary{text, comet.ErrUnauthorized}
	case guest.Invisible:
		return summary{text, comet.ErrNotFound}
	}
	return errors.New(text)
}
