package service

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
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
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) { // which is for root alone
		s.log().Warn("who the VM was before does not count", slog.String("file", "/"+identityFile), slog.Any("because", err))
	}
	return self, err == nil
}

// errOther says that what is kept was told to the machine of which this one is a copy.
var errOther = errors.New("it was kept on another machine, of whose image this one was made")

func (s *Service) read(name string) (identity.Identity, error) {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return identity.Identity{}, err
	}
	defer root.Close()
	data, err := atomicfile.Read(root, name, atomicfile.ReplaceOptions{NoLinks: true})
	if err != nil {
		return identity.Identity{}, err
	}
	self, err := identity.Parse(data)
	if now := identity.Machine(root); err == nil && self.Machine != "" && now != "" && self.Machine != now {
		return identity.Identity{}, errOther
	}
	return self, err
}

// remember keeps who the VM is. Where it cannot, on a full disk for instance, that is said, and nothing else depends on it. What flags say
// is kept once heads have shown that there is such a VM: people mistype. It reports whether there is nothing more to do.
func (s *Service) remember(self identity.Identity, st guest.Status) bool {
	if s.Given != nil && !contextOf(st, self).Shown {
		return false
	}
	if err := s.keep(self); err != nil {
		s.log().Warn("at a start at which nobody says who the VM is, nobody will know", slog.Any("because", err))
	}
	return true
}

// contextOf returns the context that an identity names, the zero one where the guest is not in it.
func contextOf(st guest.Status, self identity.Identity) guest.ContextStatus {
	for _, c := range st.Contexts {
		if c.Context == self.UserData.SliceID.String() && c.Key == self.UserData.ReservationID.String() {
			return c
		}
	}
	return guest.ContextStatus{}
}

// keep keeps who the VM is, for a start at which nobody says so. What flags say becomes one of the further contexts, which every guest of
// this machine serves: the blocks that they write are the same.
func (s *Service) keep(self identity.Identity) error {
	folder, err := s.keepsIn()
	if err != nil {
		return err
	}
	defer folder.Close()
	return s.keepThere(folder, self)
}

// keepsIn opens the folder in which it is kept who the VM is, making it.
func (s *Service) keepsIn() (folder *os.Root, err error) {
	folders := []string{frame.StateFolder}
	if s.Given != nil {
		folders = append(folders, contextsFolder)
	}
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range folders {
		if err = frame.MakeFolder(root, name, 0o700); err != nil {
			return nil, fmt.Errorf("keep who the VM is: %w", err)
		}
	}
	if folder, err = root.OpenRoot(folders[len(folders)-1]); err != nil {
		return nil, fmt.Errorf("keep who the VM is: %w", err)
	}
	return folder, nil
}

func (s *Service) keepThere(folder *os.Root, self identity.Identity) error {
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	name := path.Base(identityFile)
	if s.Given != nil {
		name = self.InstanceID
	}
	self.Machine = identity.Machine(root)
	_, err = atomicfile.Replace(folder, name, self.Marshal(), atomicfile.ReplaceOptions{New: &atomicfile.Options{Mode: 0o600}, NoLinks: true})
	if err == nil && s.Given != nil {
		err = s.replace(root, self)
	}
	if err != nil {
		return fmt.Errorf("keep who the VM is: %w", err)
	}
	return nil
}

// replace removes what flags have said before of the same slice: a VM has one key in it.
func (s *Service) replace(root *os.Root, self identity.Identity) error {
	names, err := s.further()
	for _, name := range names {
		one, failed := s.read(name)
		if failed == nil && path.Base(name) != self.InstanceID && sameSlice(one, self) {
			err = errors.Join(err, root.Remove(name))
		}
	}
	return err
}

// sameSlice reports whether two identities are of one slice of the same heads.
func sameSlice(a, b identity.Identity) bool {
	return a.UserData.SliceID == b.UserData.SliceID && headsOf(a) == headsOf(b)
}

func sameVM(a, b identity.Identity) bool {
	return sameSlice(a, b) && a.UserData.ReservationID == b.UserData.ReservationID
}

// headsOf names the heads of an identity, however they are written.
func headsOf(i identity.Identity) string {
	heads, err := comet.ParseHeads(i.UserData.CometHost)
	if err != nil {
		return i.UserData.CometHost
	}
	slices.Sort(heads)
	return strings.Join(heads, ",")
}
