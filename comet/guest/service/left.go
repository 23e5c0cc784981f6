package service

import (
	"io/fs"
	"os"
	"path"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// Left returns what of this VM is on the machine still when Clean has done its part, because it is not the guest's to remove: a line for
// each, which says what to do.
func (s *Service) Left() (left []string, err error) {
	set, err := s.Settings()
	if err != nil {
		return nil, &InputError{err}
	}
	root, err := frame.OpenRoot(s.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, p := range remains(set) {
		if there(root, p.pattern) {
			left = append(left, "/"+p.pattern+": "+p.text)
		}
	}
	return left, nil
}

// remain is something that may be left.
type remain struct{ pattern, text string }

func remains(set settings.Settings) (all []remain) {
	if path.IsAbs(set.Source) {
		all = append(all, remain{below(set.Source), "says who this VM is, with the slice's tokens: remove it"})
	}
	return append(all,
		remain{"var/lib/cloud/instances/*", "cloud-init keeps the user data here, with what tokens it has: cloud-init clean --logs --machine-id"},
		remain{below(set.OldState) + "/*", "what the older tools have done: scripts that are named here will not run on a VM of the image, and disks have secrets: remove it"},
		remain{"etc/ssh/ssh_host_*_key", "this VM's host keys: remove them where nothing else, such as cloud-init, makes new ones"},
		remain{"etc/sudoers.d/comet-*", "users of this VM may do everything; their accounts, homes and keys stay too: remove those that the image should not have"},
		remain{"etc/hostname", "the name of this VM: empty it where nothing else names VMs of the image"})
}

// there tells whether something matches that is no empty file.
func there(root *os.Root, pattern string) bool {
	names, _ := fs.Glob(root.FS(), pattern) // a pattern that is none matches nothing
	for _, name := range names {
		if info, err := root.Stat(name); err == nil && (info.Size() > 0 || info.IsDir()) {
			return true
		}
	}
	return false
}
