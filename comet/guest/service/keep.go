package service

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// In the guest's state folder, beside those of its instances: who the VM is, and further contexts that it was told of by flags.
const (
	identityFile   = frame.StateFolder + "/identity"
	contextsFolder = frame.StateFolder + "/contexts"
)

// recall returns who the VM was when somebody last said so. What flags say needs no recalling.
func (s *Service) recall() (identity.Identity, bool) {
	if s.Given != nil {
		return identity.Identity{}, false
	}
	return s.told()
}

// told returns what was found last outside flags.
func (s *Service) told() (identity.Identity, bool) {
	self, err := s.read(identityFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log().Warn("who the VM was before is lost", slog.String("file", "/"+identityFile), slog.Any("because", err))
	}
	return self, err == nil
}

func (s *Service) read(name string) (identity.Identity, error) {
	root, err := openRoot(s.Root)
	if err != nil {
		return identity.Identity{}, err
	}
	defer root.Close()
	data, err := atomicfile.Read(root, name, atomicfile.ReplaceOptions{NoLinks: true})
	if err != nil {
		return identity.Identity{}, err
	}
	return identity.Parse(data)
}

// keep keeps who the VM is, for a start at which nobody says so. What flags say becomes one of the further contexts, which every guest of
// this machine serves: the blocks that they write are the same.
func (s *Service) keep(self identity.Identity) error {
	name := identityFile
	if s.Given != nil {
		name = path.Join(contextsFolder, self.InstanceID)
	}
	root, err := openRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := frame.MakeFolder(root, frame.StateFolder, 0o700); err != nil {
		return fmt.Errorf("keep who the VM is: %w", err)
	}
	if err := frame.MakeFolder(root, path.Dir(name), 0o700); err != nil {
		return fmt.Errorf("keep who the VM is: %w", err)
	}
	_, err = atomicfile.Replace(root, name, self.Marshal(), atomicfile.ReplaceOptions{New: &atomicfile.Options{Mode: 0o600}, NoLinks: true})
	if err != nil {
		return fmt.Errorf("keep who the VM is: %w", err)
	}
	return nil
}

// contexts returns all that the VM takes part in: what its metadata says first, and then what guests were told by flags.
func (s *Service) contexts(self identity.Identity) (all []identity.Identity, err error) {
	if s.Given == nil {
		all = append(all, self)
	} else if main, kept := s.told(); kept {
		all = append(all, main)
	}
	entries, err := os.ReadDir(path.Join(cmp.Or(s.Root, "/"), contextsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || s.Given != nil && e.Name() == self.InstanceID {
			continue
		}
		one, err := s.read(path.Join(contextsFolder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("/%s/%s: %w", contextsFolder, e.Name(), err)
		}
		all = append(all, one)
	}
	if s.Given != nil { // what flags say now, not what they said before
		all = append(all, self)
	}
	return all, nil
}

func openRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(cmp.Or(path, "/"))
	if err != nil {
		return nil, fmt.Errorf("root folder: %w", err)
	}
	return root, nil
}
