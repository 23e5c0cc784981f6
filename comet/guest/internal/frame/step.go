package frame

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// Step is one change, which may be looked at before it is made.
type Step struct {
	Text  string                      // what it does: one line without secrets, such as "write /etc/hosts"
	Diff  string                      // a unified diff where it changes a file that everybody may see
	Do    func(context.Context) error // makes the change; its error need not repeat Text
	Alone bool                        // no other step depends on it: should it fail, those behind it are made all the same
}

// File is a file of the machine as it is to be.
type File struct {
	Name    string // below the root, without a leading slash
	Content []byte
	Mode    fs.FileMode // of a new file; an existing one keeps its own
	Secret  bool        // its content is not shown
	NoLinks bool        // no symbolic link in the path is followed
}

// Put returns the step that gives a file its content, and none where it has it already. Should somebody else change the file before
// the step is made, the step fails with atomicfile.ErrChanged and the Runner plans anew.
func (m *Machine) Put(f File) ([]Step, error) {
	before, err := m.Read(f.Name, f.NoLinks)
	there := !errors.Is(err, fs.ErrNotExist)
	switch {
	case there && err != nil:
		return nil, err
	case there && string(before) == string(f.Content):
		return nil, nil
	case !there:
		before = []byte{}
	}
	step := Step{Text: "write /" + f.Name, Do: func(context.Context) error { return m.put(f, before) }}
	if !f.Secret {
		step.Diff = Diff("/"+f.Name, before, f.Content)
	}
	return []Step{step}, nil
}

func (m *Machine) put(f File, before []byte) error {
	if err := m.MakeFolder(path.Dir(f.Name), folderMode(f.Mode)); err != nil {
		return err
	}
	_, err := atomicfile.Replace(m.root, f.Name, f.Content, atomicfile.ReplaceOptions{
		Expect: before, New: &atomicfile.Options{Mode: f.Mode}, NoLinks: f.NoLinks})
	return err
}

// Remove returns the step that removes a file, and none where it is not there.
func (m *Machine) Remove(name string) ([]Step, error) {
	if _, err := m.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return []Step{{Text: "remove /" + name, Do: func(context.Context) error { return m.remove(name) }}}, nil
}

// remove makes sure that a removal outlives a crash.
func (m *Machine) remove(name string) error {
	if err := m.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := m.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Read returns the content of a file below the root. A missing one is an error that matches fs.ErrNotExist.
func (m *Machine) Read(name string, noLinks bool) ([]byte, error) {
	return atomicfile.Read(m.root, name, atomicfile.ReplaceOptions{NoLinks: noLinks})
}

// MakeFolder makes what is missing of a folder's path; the last one gets this mode, those above it 0755.
func (m *Machine) MakeFolder(name string, mode fs.FileMode) error {
	return MakeFolder(m.root, name, mode)
}

// MakeFolder does the same below any root.
func MakeFolder(root *os.Root, name string, mode fs.FileMode) error {
	for at := 0; at < len(name); {
		next := strings.IndexByte(name[at:], '/')
		part, with := name, mode
		if next >= 0 {
			part, with = name[:at+next], fs.FileMode(0o755)
		}
		if err := root.Mkdir(part, with); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		at = len(part) + 1
	}
	return nil
}

// folderMode lets those into a new folder who may read the file in it.
func folderMode(file fs.FileMode) fs.FileMode { return 0o700 | file&0o044 | file&0o044>>2 }

// Root is the folder below which all files lie. Modules that need more than Put, Read and Remove use it for their own files.
func (m *Machine) Root() *os.Root { return m.root }

// WriteNew writes a file that is not there. One that came meanwhile is not replaced: the error then matches atomicfile.ErrChanged.
func (m *Machine) WriteNew(f File) error { return m.put(f, []byte{}) }
