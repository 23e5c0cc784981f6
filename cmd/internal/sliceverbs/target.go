package sliceverbs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// checkTargets refuses, before anything is made, files that cannot be written or that hold something else: what the slice file names,
// above all the VMs' own unit properties, of which a file with the six properties of the slice would be all that is left.
func (j job) checkTargets() error {
	for _, flag := range []string{"properties-dir", "metadata-dir"} {
		if err := canHave(cli.Given(j.c, flag)); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	named := map[string]string{whole(cli.Given(j.c, "tokens")): "the token file", whole(cli.Given(j.c, "slice")): "the slice file"}
	for i, vm := range j.slice.VMs {
		named[whole(vm.Properties)] = fmt.Sprintf("vms[%d].properties of the slice file", i)
		named[whole(vm.UserData)] = fmt.Sprintf("vms[%d].userData of the slice file", i)
	}
	for _, vm := range withContext(j.slice) {
		files, err := j.files(controller.Tokens{SliceID: j.slice.ID}, vm)
		if err != nil {
			return err
		}
		for _, f := range files {
			if what, taken := named[whole(f.path)]; taken {
				return fmt.Errorf("%s would be overwritten, which is %s: name another folder", f.path, what)
			}
			if err := f.replaceable(); err != nil {
				return fmt.Errorf("%s would be overwritten, and %w: name another folder", f.path, err)
			}
		}
	}
	return nil
}

// whole is a path by which the same file is known however it is written. Nothing has none.
func whole(path string) string {
	if path == "" {
		return ""
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err == nil {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
	}
	return filepath.Join(dir, filepath.Base(path))
}

// canHave tells why files could not be made in a folder, which need not be there yet.
func canHave(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
		return canHave(filepath.Dir(dir))
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// replaceable tells why what is there already is not what an earlier run wrote.
func (f file) replaceable() error {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("it is a folder")
	}
	if f.what != whatProperties {
		return nil // what else is written has names that nobody else gives
	}
	keys, err := keysIn(f.path)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !orca.IsSliceProperty(key) {
			return fmt.Errorf("it has %.64q in it", key)
		}
	}
	return nil
}

// keysIn returns the names of what a file with properties has, in either form.
func keysIn(path string) (keys []string, err error) {
	if filepath.Ext(path) != ".json" {
		p, err := orca.LoadProperties(path)
		return p.Keys(), err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil {
		return nil, errors.New("it has no properties in it")
	}
	for key := range members {
		keys = append(keys, key)
	}
	return keys, nil
}
