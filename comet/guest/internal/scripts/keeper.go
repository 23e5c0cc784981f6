package scripts

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// keeper keeps the journal of scripts, and finds and ends their processes.
type keeper struct {
	Settings
	machine *frame.Machine
}

// own returns a keeper whose machine is not closed with the guest's, since a script may outlive that. Who has it closes it.
func (k keeper) own() (keeper, error) {
	m, err := frame.Open(k.machine.Root().Name(), k.machine.Instance(), k.machine.Log)
	return keeper{k.Settings, m}, err
}

// path is the folder of a script.
func (k keeper) path(r record) string {
	return filepath.Join(k.machine.Root().Name(), k.machine.State(r.folder()))
}

// read returns one of the wrapper's files, where it is about this script.
func (k keeper) read(r record, name string) (rest string, ok bool, err error) {
	hash, rest, err := k.whose(r, name)
	return rest, hash == r.Hash, err
}

// whose returns the hash that one of the wrapper's files is about, empty where there is no such file, and what it says.
func (k keeper) whose(r record, name string) (hash, rest string, err error) {
	text, err := k.machine.Read(k.machine.State(r.folder()+"/"+name), true)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	hash, rest, _ = strings.Cut(strings.TrimSpace(string(text)), " ")
	return hash, rest, err
}

// begun reports whether a script that is running by the journal may have begun. It certainly has not where the wrapper did not say so and
// is not there, in the same boot: then files are as they were left.
func (k keeper) begun(r record) (bool, error) {
	_, said, err := k.read(r, ".began")
	return said || r.Boot != frame.BootID() || k.process(r) != 0, err
}

// exit returns the status that the wrapper has noted.
func (k keeper) exit(r record) (status int, known bool, err error) {
	text, ok, err := k.read(r, ".exit")
	if !ok || err != nil {
		return 0, false, err
	}
	status, wrong := strconv.Atoi(text)
	return status, wrong == nil, nil
}
