package sliceverbs

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// wanted returns the slice and its VMs, by a slice file or by flags.
func wanted(c *urfave.Context) (orca.Slice, error) {
	if err := check(c); err != nil {
		return orca.Slice{}, err
	}
	inPlace := c.IsSet("vm") || c.IsSet("slice-id") || c.IsSet("group")
	switch path := cli.Given(c, "slice"); {
	case path != "" && inPlace:
		return orca.Slice{}, cli.Usage("give one or the other", "--slice FILE says what --vm, --slice-id and --group say")
	case path != "":
		s, err := orca.LoadSlice(path)
		return s, cli.Input(err)
	case !c.IsSet("vm"):
		return orca.Slice{}, cli.Usage("give --slice FILE, or --vm NAME=RESERVATION", "nothing says which VMs there are")
	}
	return byFlags(c)
}

func byFlags(c *urfave.Context) (s orca.Slice, err error) {
	if s.ID, err = sliceID(c); err != nil {
		return orca.Slice{}, err
	}
	s.Groups = c.StringSlice("group")
	if len(s.Groups) == 0 && c.Command.Name == "create" { // extend has those that stand
		s.Groups = []string{scope.DefaultGroup}
	}
	for _, text := range c.StringSlice("vm") {
		name, reservation, ok := strings.Cut(text, "=")
		if !ok {
			return orca.Slice{}, cli.Usage("give NAME=RESERVATION", "--vm %q has no =", text)
		}
		key, err := scope.ParseKey(reservation)
		if err != nil {
			return orca.Slice{}, cli.Input(fmt.Errorf("--vm %q: %w", text, err))
		}
		s.VMs = append(s.VMs, orca.VM{HostName: scope.CanonicalHostName(name), ReservationID: key})
	}
	if err := s.Validate(); err != nil {
		return orca.Slice{}, cli.Input(byFlag(err, c))
	}
	return s, nil
}

// place is where a slice file would have what a flag gave.
var place = regexp.MustCompile(`(vms|groups)\[(\d+)\]\.?`)

// byFlag says of what a slice lacks which flag it is about.
func byFlag(err error, c *urfave.Context) error {
	flags := map[string]string{"vms": "vm", "groups": "group"}
	return errors.New(place.ReplaceAllStringFunc(err.Error(), func(at string) string {
		parts := place.FindStringSubmatch(at)
		i, _ := strconv.Atoi(parts[2])
		text := fmt.Sprintf("--%s %q", flags[parts[1]], c.StringSlice(flags[parts[1]])[i])
		if strings.HasSuffix(at, ".") {
			text += ": "
		}
		return text
	}))
}

// sliceID is the ID that the flag or, where the slice has one already, its token file says.
func sliceID(c *urfave.Context) (scope.ContextID, error) {
	if text := cli.Given(c, "slice-id"); text != "" {
		id, err := scope.ParseContextID(text)
		if err != nil {
			return scope.ContextID{}, cli.Input(fmt.Errorf("--slice-id: %w", err))
		}
		return id, nil
	}
	tokens, err := controller.LoadTokens(c.String("tokens"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return scope.ContextID{}, cli.Usage("give it with --slice-id", "nothing says which slice it is")
	case err != nil:
		return scope.ContextID{}, cli.Input(err)
	}
	return tokens.SliceID, nil
}

// standing returns a slice that is there, with its tokens. Without a slice file it is what the token file knows.
func standing(c *urfave.Context) (orca.Slice, controller.Tokens, error) {
	none := orca.Slice{}
	if err := check(c); err != nil {
		return none, controller.Tokens{}, err
	}
	tokens, err := controller.LoadTokens(c.String("tokens"))
	if err != nil {
		return none, controller.Tokens{}, cli.Input(err)
	}
	path := cli.Given(c, "slice")
	if path == "" {
		return tokens.Slice(), tokens, nil
	}
	s, err := orca.LoadSlice(path)
	if err == nil && s.ID != tokens.SliceID {
		err = fmt.Errorf("%s: sliceId: the token file %s belongs to slice %s, not to %s", path, c.String("tokens"), tokens.SliceID, s.ID)
	}
	return s, tokens, cli.Input(err)
}

// check looks at what every command has.
func check(c *urfave.Context) error {
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	return cli.Required(c, "tokens")
}
