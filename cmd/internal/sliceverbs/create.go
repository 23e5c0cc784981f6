package sliceverbs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func createCommand(install orca.Install, files []urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name:  "create",
		Usage: "put down the place-holders of a slice's VMs",
		Description: "What stands already is kept, so that it may be repeated. When it fails, what it created is withdrawn.\n" +
			"Which kinds of place-holders there are, orca.comet.hosts.enabled and orca.comet.pubkeys.enabled of --config say; without\n" +
			"--config, both.",
		Flags: namesSlice(files),
		Action: func(c *urfave.Context) error {
			return put(c, install, func(j job) (controller.Created, error) { return j.Create(j.ctx, c.String("tokens"), j.slice) })
		},
	}
}

func extendCommand(install orca.Install, files []urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name:  "extend",
		Usage: "put down the place-holders of further VMs of a slice",
		Description: "They come under the read token that the slice has: that of the token file, else of the properties that the slice file names\n" +
			"for its VMs, else of --read-token-file. It is said which. The slice file may be that of the whole slice, or have only what\n" +
			"comes to it. What stands is kept, so that it may be repeated.",
		Flags: namesSlice(files, []urfave.Flag{cli.ReadTokenFlag()}),
		Action: func(c *urfave.Context) error {
			given, err := givenRead(c)
			if err != nil {
				return err
			}
			return put(c, install, func(j job) (controller.Created, error) { return j.Extend(j.ctx, c.String("tokens"), j.slice, given) })
		},
	}
}

// givenRead is the read token that is given, or none. It counts only where there is no token file yet.
func givenRead(c *urfave.Context) (scope.Token, error) {
	if _, err := os.Stat(c.String("tokens")); err == nil || !cli.HasReadToken(c) {
		return scope.Token{}, nil
	}
	return cli.ReadToken(c)
}

// ofInput marks an error as one of what the user gave, unless it is one of a head or of what stands there.
func ofInput(err error) error {
	_, ofHead := errors.AsType[*comet.Error](err)
	if errors.Is(err, controller.ErrNoReadToken) {
		return cli.Usage("name the slice's token file, or give the token with --read-token-file or COMET_READ_TOKEN", "%w", err)
	}
	if err == nil || ofHead || errors.Is(err, comet.ErrNotFound) || errors.Is(err, comet.ErrUnavailable) {
		return err
	}
	return cli.Input(err)
}

// put puts place-holders down and writes what the VMs are told. Whatever can be found wrong is, before anything is written.
func put(c *urfave.Context, install orca.Install, do func(job) (controller.Created, error)) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	slice, err := wanted(c)
	if err != nil {
		return err
	}
	j, err := newJob(c, slice, install)
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
		return few{ofInput(err)}
	}
	j.slice.Groups = done.Groups
	wrote, err := j.write(done.Tokens)
	if err != nil {
		return few{err}
	}
	j.warnOfNoContext()
	j.warnOfLoopback()
	return j.tell(done, wrote)
}

// warnOfNoContext says which VMs got nothing, since a type may be misspelt.
func (j job) warnOfNoContext() {
	var without []string
	for _, vm := range j.slice.VMs {
		if !vm.NeedsContext() {
			without = append(without, fmt.Sprintf("%s (type %s)", vm.HostName, vm.Type))
		}
	}
	if n := len(without); n > fewErrors {
		without = append(without[:fewErrors], fmt.Sprintf("%d more", n-fewErrors))
	}
	if len(without) > 0 {
		fmt.Fprintf(j.c.App.ErrWriter, "%s: no context for %s: types that end in vm, baremetalce or lun get one, and VMs without a type\n",
			j.c.App.Name, strings.Join(without, ", "))
	}
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
func (j job) tell(done controller.Created, wrote []string) error {
	c := j.c
	shown := shownCreated{SliceID: j.slice.ID, Created: done.New, Kept: done.Kept, ReadToken: done.From}
	line := fmt.Sprintf("slice %s: %s", j.slice.ID, done)
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
