package frame

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// State returns the name, below the root, of something in the state folder of the instance.
func (m *Machine) State(name string) string { return path.Join(StateFolder, m.instance, name) }

// Load reads what Save has kept under that name into v, which stays as it is where there is nothing; found tells.
func (m *Machine) Load(name string, v any) (found bool, err error) {
	file := m.State(name)
	data, err := m.Read(file, true)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if json.Unmarshal(data, v) != nil { // whose error may quote it
		return false, fmt.Errorf("/%s %w", file, errNoJSON)
	}
	return true, nil
}

// Ever reports whether Save has kept something under that name for any instance of this machine: it may have been another VM before.
func (m *Machine) Ever(name string) bool {
	kept, err := fs.Glob(m.root.FS(), path.Join(StateFolder, "*", name))
	return err == nil && len(kept) > 0
}

// Save keeps v, as JSON, in the state folder of the instance: mode 0600, whole, and on disk when it returns.
func (m *Machine) Save(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("state %s: %w", name, err)
	}
	return m.SaveBytes(name, data)
}

// SaveBytes keeps data as Save does.
func (m *Machine) SaveBytes(name string, data []byte) error {
	file := m.State(name)
	for _, folder := range []string{StateFolder, path.Join(StateFolder, m.instance), path.Dir(file)} {
		if err := m.MakeFolder(folder, 0o700); err != nil {
			return fmt.Errorf("state %s: %w", name, err)
		}
	}
	_, err := atomicfile.Replace(m.root, file, data, atomicfile.ReplaceOptions{New: &atomicfile.Options{Mode: 0o600}, NoLinks: true})
	return err
}
