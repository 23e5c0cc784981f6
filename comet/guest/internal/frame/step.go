package frame

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// Step is one change, which may be looked at before it is made.
type Step struct {
	Text string                      // what it does: one line without secrets, such as "write /etc/hosts"
	Of   string                      // whose step it is, such as a user's: its failure stops those behind it that are of the same only
	Own  bool                        // it notes something for the guest itself, and changes nothing that anybody else would see
	Diff string                      // a unified diff where it changes a file that everybody may see
	Do   func(context.Context) error // makes the change; its error need not repeat Text
}

// File is a file of the machine as it is to be.
type File struct {
	Name    string // below the root, without a leading slash
	Content []byte
	Mode    fs.FileMode // of a new file; an existing one keeps its own
	Secret  bool        // its content is not shown
	NoLinks bool        // no symbolic link in the path is followed

	Below string            // a folder, from the root, which no link leads out of, whoever sets one meanwhile; Name counts from there
	Owner *atomicfile.Owner // of a new file, and of folders that are made for it; root where it is nil
}

// path is what people call the file.
func (f File) path() string { return "/" + path.Join(f.Below, f.Name) }

// Put returns the step that gives a file its content, and none where it has it already. Should somebody else change the file before
// the step is made, the step fails with atomicfile.ErrChanged and the Runner plans anew.
func (m *Machine) Put(f File) ([]Step, error) {
	before, err := m.read(f)
	there := !errors.Is(err, fs.ErrNotExist)
	switch {
	case there && err != nil:
		return nil, err
	case there && string(before) == string(f.Content):
		return nil, nil
	case !there:
		before = []byte{}
	}
	step := Step{Text: "write " + f.path(), Do: func(ctx context.Context) error { return m.put(ctx, f, before) }}
	if !f.Secret {
		step.Diff = Diff(f.path(), before, f.Content)
	}
	return []Step{step}, nil
}

func (m *Machine) put(ctx context.Context, f File, before []byte) error {
	return m.below(f.Below, func(root *os.Root) error {
		label := func(name string) { m.Label(ctx, File{Name: name, Below: f.Below}.path()) }
		if err := makeFolder(root, path.Dir(f.Name), folderMode(f.Mode), f.Owner, label); err != nil {
			return err
		}
		_, missing := root.Lstat(f.Name)
		_, err := atomicfile.Replace(root, f.Name, f.Content, atomicfile.ReplaceOptions{
			Expect: before, New: &atomicfile.Options{Mode: f.Mode, Owner: f.Owner}, NoLinks: f.NoLinks})
		if err == nil && missing != nil {
			label(f.Name)
		}
		return err
	})
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
	return m.read(File{Name: name, NoLinks: noLinks})
}

func (m *Machine) read(f File) (content []byte, err error) {
	err = m.below(f.Below, func(root *os.Root) (err error) {
		content, err = atomicfile.Read(root, f.Name, atomicfile.ReplaceOptions{NoLinks: f.NoLinks})
		return err
	})
	return content, err
}

// below passes the folder that files are looked for in.
func (m *Machine) below(folder string, do func(*os.Root) error) error {
	if folder == "" {
		return do(m.root)
	}
	root, err := m.root.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	return do(root)
}

// folderMode lets those into a new folder who may read the file in it.
func folderMode(file fs.FileMode) fs.FileMode { return 0o700 | file&0o044 | file&0o044>>2 }

// Root is the folder below which all files lie. Modules that need more than Put, Read and Remove use it for their own files.
func (m *Machine) Root() *os.Root { return m.root }

// WriteNew writes a file that is not there. One that came meanwhile is not replaced: the error then matches atomicfile.ErrChanged.
func (m *Machine) WriteNew(ctx context.Context, f File) error { return m.put(ctx, f, []byte{}) }
