package vms

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// ErrMissing: something that VMs need is not on this machine.
var ErrMissing = errors.New("missing for VMs")

// program is what must be there, with the Debian package that has it.
type program struct{ name, debian string }

var (
	toRun   = []program{{"qemu-system-x86_64", "qemu-system-x86"}, {"qemu-img", "qemu-utils"}, {"bash", "bash"}}
	toBuild = []program{{"mmdebstrap", "mmdebstrap"}, {"mke2fs", "e2fsprogs"}, {keyring, "debian-archive-keyring"}}
)

// keyring says whose signature Debian's packages bear.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Missing returns an ErrMissing that names, in one line, all that is missing to build an image, where there is none in the cache, and
// to run VMs.
func Missing(cache string) error {
	all := toRun
	built := isBuilt(cache)
	if !built {
		all = append(all[:len(all):len(all)], toBuild...)
	}
	var names, packages []string
	for _, p := range all {
		if !p.there() {
			names, packages = append(names, p.name), append(packages, p.debian)
		}
	}
	switch {
	case len(names) > 0:
		return fmt.Errorf("%w: %s; on Debian: apt install %s", ErrMissing, strings.Join(names, ", "), strings.Join(packages, " "))
	case !built && runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64":
		return fmt.Errorf("%w: an image, which only Linux on amd64 builds", ErrMissing)
	case !built && os.Geteuid() != 0:
		return fmt.Errorf("%w: an image, which root builds once: run this as root the first time", ErrMissing)
	}
	return nil
}

func (p program) there() bool {
	if strings.HasPrefix(p.name, "/") {
		_, err := os.Stat(p.name)
		return err == nil
	}
	_, err := exec.LookPath(p.name)
	return err == nil
}
