package vms

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Image is a disk that VMs start from, and the kernel that goes with it.
type Image struct {
	cache  string
	key    string // of its content
	disk   string
	format string // of the disk
	base   string // the folder with kernel and initramfs
}

// Progress hears of each step of something long: what it is, how many were done before it, and how many there are.
type Progress func(step string, done, total int)

//go:embed image
var recipe embed.FS

const (
	suite  = "bookworm"
	mirror = "http://deb.debian.org/debian"
)

// packages are what an image has beside what Debian calls essential and required.
var packages = []string{
	"systemd-sysv", "udev", "dbus", "iproute2", "iputils-ping", "openssh-server", "openssh-client", "open-iscsi", "e2fsprogs", "sudo",
	"kmod", "passwd", "login", "procps", "busybox-static",
}

// DefaultCache is where images are kept: below the user's cache folder.
func DefaultCache() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "comet-vms"), err
}

// baseKey changes with whatever an image is made from, but for what Debian has at that time.
func baseKey() string {
	h := sha256.New()
	fmt.Fprintln(h, suite, mirror, packages)
	fs.WalkDir(recipe, "image", func(path string, d fs.DirEntry, err error) error { // what is embedded can be read
		if !d.IsDir() {
			text, _ := recipe.ReadFile(path)
			fmt.Fprintf(h, "%s %d\n%s", path, len(text), text)
		}
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:keyLength]
}

const keyLength = 16

func isBuilt(cache string) bool {
	_, err := os.Stat(filepath.Join(cache, baseKey()))
	return err == nil
}

// OpenImage returns the image of Debian in the cache, building it where it is not there: that takes root, a minute and Debian's mirror.
func OpenImage(ctx context.Context, cache string, tell Progress) (Image, error) {
	if err := Missing(cache); err != nil {
		return Image{}, err
	}
	key := baseKey()
	dir, err := kept(ctx, cache, key, func(dir string) error { return buildBase(ctx, dir, tell) })
	if err != nil {
		return Image{}, fmt.Errorf("build an image of Debian: %w", err)
	}
	return Image{cache: cache, key: key, disk: filepath.Join(dir, "root.img"), format: "raw", base: dir}, nil
}

func buildBase(ctx context.Context, dir string, tell Progress) error {
	scripts := filepath.Join(dir, "scripts")
	if err := copyRecipe(scripts); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "mmdebstrap", "--verbose", "--mode=root", "--variant=minbase", "--format=directory", "--keyring="+keyring,
		"--dpkgopt=force-unsafe-io", `--aptopt=Acquire::Languages "none"`, "--include="+strings.Join(packages, ","),
		fmt.Sprintf(`--customize-hook=%s "$1" %s`, quote(filepath.Join(scripts, "make")), quote(dir)),
		suite, filepath.Join(dir, "root"), "deb "+mirror+" "+suite+" main")
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	if err := follow(c, tell); err != nil {
		return err
	}
	if err := makeFileSystem(ctx, filepath.Join(dir, "root.img"), filepath.Join(dir, "root")); err != nil {
		return err
	}
	if err := writeInitramfs(dir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(scripts), os.RemoveAll(filepath.Join(dir, "root")))
}

// makeFileSystem makes a disk of a folder, without mounting anything.
func makeFileSystem(ctx context.Context, disk, folder string) error {
	c := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-d", folder, disk, diskSize)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// diskSize is what VMs see; only what is written takes space.
const diskSize = "2G"

func copyRecipe(to string) error {
	files, err := fs.Sub(recipe, "image")
	if err != nil {
		return err
	}
	if err := os.CopyFS(to, files); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(to, "make"), 0o755)
}

// quote makes a path one word of the shell.
func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }

// mmdebstrapSteps is how many lines that begin with "I: " it writes.
const mmdebstrapSteps = 9

// follow runs mmdebstrap and tells of its steps; where it fails its last words are in the error.
func follow(c *exec.Cmd, tell Progress) error {
	out, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	var said []string
	step := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if what, ok := strings.CutPrefix(line, "I: "); ok && tell != nil {
			what, _, _ = strings.Cut(what, ":")
			tell(strings.TrimSuffix(what, "..."), min(step, mmdebstrapSteps), mmdebstrapSteps)
			step++
		}
		said = append(said, line)
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("mmdebstrap: %w: %s", err, strings.Join(said[max(0, len(said)-5):], "; "))
	}
	return nil
}

// writeInitramfs packs the folder initramfs, and not compressed: the kernel of a VM would take longer for that.
func writeInitramfs(dir string) error {
	files, from := Files{}, filepath.Join(dir, "initramfs")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(from, path) // which it is below
		files[name] = File{0o755, string(content)}
		return err
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := writeCPIO(&b, files); err != nil {
		return err
	}
	if err := os.WriteFile(from+".cpio", b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.RemoveAll(from)
}

// writeInitrd writes the initramfs of a VM: the image's, and what is put down at the first boot, with an id of which it is known whether
// that was done.
func (i Image) writeInitrd(path, id string, files Files, first string) error {
	common, err := os.ReadFile(filepath.Join(i.base, "initramfs.cpio"))
	if err != nil {
		return err
	}
	own := Files{"plant.id": {Content: id}}
	for name, f := range files {
		own[filepath.Join("plant", name)] = f
	}
	if first != "" {
		own["first"] = File{0o755, first}
	}
	b := bytes.NewBuffer(common)
	if err := writeCPIO(b, own); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

// hash is for keys of what is made from other things.
func hash(write func(io.Writer) error) (string, error) {
	h := sha256.New()
	err := write(h)
	return hex.EncodeToString(h.Sum(nil))[:keyLength], err
}
