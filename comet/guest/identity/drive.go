package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ConfigDrive is OpenStack's config drive, the metadata as a small disk. It is found where it is mounted, or mounted for the moment: only
// by root, and only where Root is /.
type ConfigDrive struct {
	Folder string // where it is mounted; looked for where it is empty
	Root   string // the folder below which it is looked for; / where it is empty
}

// usualFolders are where images mount it.
var usualFolders = []string{"mnt/config", "mnt/config-2", "mnt/configdrive", "media/config", "media/config-2", "media/configdrive", "config-2"}

// labels are those of the drive, and where the system finds it by them. FAT knows no lower case.
var labels = []string{"/dev/disk/by-label/config-2", "/dev/disk/by-label/CONFIG-2"}

// fileSystems are those that OpenStack makes the drive with. No other is tried: what is on a disk is input too.
var fileSystems = []string{"iso9660", "vfat"}

// Name is where it is looked for.
func (d ConfigDrive) Name() string { return strings.TrimSpace("config drive " + d.Folder) }

// Look reads the drive.
func (d ConfigDrive) Look(ctx context.Context) (Identity, error) {
	if d.Folder != "" {
		return readFolder(ctx, d.Folder, d.Folder)
	}
	root := filepath.Clean(cmp.Or(d.Root, "/"))
	mounted, err := mountedBelow(root)
	if err != nil {
		return Identity{}, openError(err)
	}
	if mounted != nil {
		defer mounted.Close()
		return readDrive(ctx, mounted, mounted.Name())
	}
	device := labelled()
	switch {
	case device == "" || root != "/":
		return Identity{}, absent("none is mounted, and no disk is labelled config-2")
	case os.Geteuid() != 0:
		return Identity{}, absent("none is mounted, and only root may mount " + device)
	}
	var self Identity
	err = whileMounted(device, fileSystems, func(folder string) (err error) {
		self, err = readFolder(ctx, folder, device)
		return err
	})
	return self, err
}

// mountedBelow opens the folder with a drive in it, nil where there is none. No link leads out of the root.
func mountedBelow(path string) (*os.Root, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, folder := range usualFolders {
		for _, has := range []string{"openstack", "ec2"} {
			if info, err := root.Stat(folder + "/" + has); err == nil && info.IsDir() {
				return root.OpenRoot(folder)
			}
		}
	}
	return nil, nil
}

func labelled() string {
	for _, device := range labels {
		if _, err := os.Stat(device); err == nil {
			return device
		}
	}
	return ""
}

func readFolder(ctx context.Context, folder, known string) (Identity, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return Identity{}, openError(err)
	}
	defer root.Close()
	return readDrive(ctx, root, known)
}

// readDrive reads a drive, out of which no link on it leads.
func readDrive(ctx context.Context, root *os.Root, known string) (Identity, error) {
	get := func(_ context.Context, name string) ([]byte, error) {
		return readFile(root.OpenFile(name, readOnly, 0))
	}
	return tree{
		where:    strings.TrimSuffix(known, "/") + "/",
		userData: []string{"ec2/latest/user-data", "openstack/latest/user_data"},
		get:      get,
		facts:    func(ctx context.Context) (facts, error) { return driveFacts(ctx, get) },
	}.look(ctx)
}

// driveFacts are what the drive says as EC2 would.
func driveFacts(ctx context.Context, get func(context.Context, string) ([]byte, error)) (f facts, err error) {
	const name = "ec2/latest/meta-data.json"
	data, err := get(ctx, name)
	if errors.Is(err, ErrAbsent) {
		return facts{}, nil
	}
	if err == nil {
		f, err = jsonFacts(data)
	}
	if err != nil {
		return facts{}, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}
