package sliceverbs

import (
	"errors"
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func createCommand(files []urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name:  "create",
		Usage: "put down the place-holders of a slice's VMs",
		Description: "What stands already is kept, so that it may be repeated. When it fails, what it created is withdrawn.\n" +
			"Which kinds of place-holders there are, orca.comet.hosts.enabled and orca.comet.pubkeys.enabled of --config say; without\n" +
			"--config, both.",
		Flags: namesSlice(files),
		Action: func(c *urfave.Context) error {
			return put(c, func(j job) (controller.Extended, error) {
				tokens, err := controller.OpenTokens(j.ctx, c.String("tokens"), j.slice)
				if err != nil {
					return controller.Extended{}, cli.Input(err)
				}
				created, err := j.Create(j.ctx, j.slice, tokens)
				return controller.Extended{Created: created, Tokens: tokens}, err
			})
		},
	}
}

func extendCommand(files []urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name:  "extend",
		Usage: "put down the place-holders of further VMs of a slice",
		Description: "They come under the read token that the slice has: that of the token file, else of the properties that the slice file names\n" +
			"for its VMs, else of --read-token-file. It is said which. The slice file may be that of the whole slice, or have only what\n" +
			"comes to it. What stands is kept, so that it may be repeated.",
		Flags: namesSlice(files, []urfave.Flag{cli.ReadTokenFlag()}),
		Action: func(c *urfave.Context) error {
			return put(c, func(j job) (controller.Extended, error) {
				given, err := givenRead(c)
				if err != nil {
					return controller.Extended{}, err
				}
				done, err := j.Extend(j.ctx, c.String("tokens"), j.slice, given)
				return done, ofInput(err)
			})
		},
	}
}

// givenRead is the read token that is given, or none.
func givenRead(c *urfave.Context) (scope.Token, error) {
	if cli.Given(c, "read-token-file") == "" {
		return scope.Token{}, nil
	}
	return cli.ReadToken(c)
}

// ofInput marks an error as one of what the user gave, unless it is one of a head or of what stands there.
func ofInput(err error) error {
	_, ofHead := errors.AsType[*comet.Error](err)
	if errors.Is(err, controller.ErrNoReadToken) {
		return cli.Usage("name the slice's token file, or give the token with --read-token-file", "%w", err)
	}
	if err == nil || ofHead || errors.Is(err, comet.ErrNotFound) || errors.Is(err, comet.ErrUnavailable) {
		return err
	}
	return cli.Input(err)
}

// put puts place-holders down and writes what the VMs are told. Whatever can be found wrong is, before anything is written.
func put(c *urfave.Context, do func(job) (controller.Extended, error)) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	slice, err := wanted(c)
	if err != nil {
		return err
	}
	j, err := newJob(c, slice)
	if err != nil {
		return err
	}
	defer j.Close()
	if !j.Hosts && !j.PubKeys {
		return cli.Say(c, shownCreated{SliceID: slice.ID},
			fmt.Sprintf("slice %s: nothing to do: orca.comet.hosts.enabled and orca.comet.pubkeys.enabled are not true", slice.ID))
	}
	if err := j.prepare(); err != nil {
		return err
	}
	done, err := do(j)
	j.end()
	if err != nil {
		return err
	}
	wrote, err := j.write(done.Tokens)
	if err != nil {
		return err
	}
	return j.tell(done, wrote)
}

type shownCreated struct {
	SliceID   scope.ContextID `json:"sliceId"`
	Created   int             `json:"created"`
	Kept      int             `json:"kept"`                    // that stood already
	ReadToken string          `json:"readTokenFrom,omitempty"` // of extend: where it was
	VMs       []shownAccess   `json:"vms,omitempty"`           // with --print-tokens
}

// shownAccess is what a VM gets, tokens and all.
type shownAccess struct {
	HostName      string            `json:"hostName"`
	ReservationID scope.Key         `json:"reservationId"`
	Properties    map[string]string `json:"properties"`
}

// tell says what was done. Tokens are shown only where they are asked for, and then stand alone.
func (j job) tell(done controller.Extended, wrote []string) error {
	c := j.c
	shown := shownCreated{SliceID: j.slice.ID, Created: done.New, Kept: done.Kept, ReadToken: done.From}
	line := fmt.Sprintf("slice %s: %s", j.slice.ID, done.Created)
	switch done.From {
	case "":
	case "given":
		line += ", under the read token that was given"
	default:
		line += ", under the read token of " + done.From
	}
	for _, w := range wrote {
		line += "\n" + w
	}
	if !c.Bool("print-tokens") {
		return cli.Say(c, shown, line)
	}
	fragment := []byte(nil)
	for _, vm := range withContext(j.slice) {
		list := j.Access(j.slice, done.Tokens, vm).Properties()
		of := shownAccess{vm.HostName, vm.ReservationID, map[string]string{}}
		for _, kv := range list {
			of.Properties[kv.Key] = kv.Value.Reveal()
		}
		shown.VMs = append(shown.VMs, of)
		fragment = fmt.Appendf(fragment, "# %s\n%s", vm.HostName, orca.FormatProperties(list...))
	}
	if o := c.String("output"); o == "json" || o == "yaml" {
		return cli.Say(c, shown, "")
	}
	fmt.Fprintln(c.App.ErrWriter, line)
	_, err := c.App.Writer.Write(fragment)
	return err
}
