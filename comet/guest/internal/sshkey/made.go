package sshkey

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// madeState names the private key that the guest has made.
const madeState = "ssh-key.json"

// Made returns the names of the files, below the root, of the key pairs that guests have made on the machine, whichever instance it was.
func Made(m *frame.Machine) (names []string, err error) {
	states, err := fs.Glob(m.Root().FS(), path.Join(frame.StateFolder, "*", madeState))
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		data, err := m.Read(state, true)
		var name string
		if err == nil {
			err = json.Unmarshal(data, &name)
		}
		if err != nil || path.Dir(name) != Folder || !slices.Contains(files, path.Base(name)) {
			return nil, errors.Join(errors.New("/"+state+" is not what the guest has written there"), err)
		}
		names = append(names, name, name+".pub")
	}
	return names, nil
}
