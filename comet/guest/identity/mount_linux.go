package identity

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// whileMounted mounts a disk, for reading and with nothing on it that runs, in a folder that only we can enter, while do is at it.
func whileMounted(device string, kinds []string, do func(folder string) error) (err error) {
	folder, err := os.MkdirTemp("", "comet-config-drive-") // mode 0700
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(folder)) }()
	if err := mount(device, folder, kinds); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Unmount(folder, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)) }()
	return do(folder)
}

// mount tries the kinds of file systems that the disk may have.
func mount(device, folder string, kinds []string) error {
	var reasons []string
	for _, kind := range kinds {
		err := unix.Mount(device, folder, kind, unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		if err == nil {
			return nil
		}
		reasons = append(reasons, fmt.Sprintf("as %s: %v", kind, err))
	}
	return fmt.Errorf("mount %s: %s", device, strings.Join(reasons, ", "))
}
