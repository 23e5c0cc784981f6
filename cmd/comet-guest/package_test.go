//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
)

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

func TestPackagedSettingsAreTheExample(t *testing.T) {
	require.Equal(t, string(settings.Example()), read(t, "package", "guest.conf"))
}

func TestPackagedUnit(t *testing.T) {
	unit := read(t, "package", "comet-guest.service")
	for _, line := range []string{"Type=notify", "ExecStart=/usr/bin/comet-guest run", "WatchdogSec=5min", "NoNewPrivileges=yes"} {
		require.Contains(t, unit, "\n"+line+"\n")
	}
	require.Regexp(t, `(?m)^RestrictAddressFamilies=.*\bAF_NETLINK\b`, unit, "interfaces and routes")
	require.Regexp(t, `(?m)^CapabilityBoundingSet=.*\bCAP_NET_ADMIN\b.*\bCAP_SYS_ADMIN\b`, unit, "interfaces, and a drive that says who the VM is")
	require.Regexp(t, `(?m)^SystemCallFilter=.*@mount`, unit)
	for _, never := range []string{"network-online", "ProtectKernelTunables", "ProtectHome", "ProtectSystem=full", "ProtectSystem=strict"} {
		require.NotContains(t, unit, never)
	}
	verify := needs.Program(t, "systemd-analyze", "systemd")
	tried := filepath.Join(t.TempDir(), "comet-guest.service") // the program of this test stands in for the one of the package
	require.NoError(t, os.WriteFile(tried, []byte(strings.ReplaceAll(unit, "/usr/bin/comet-guest", os.Args[0])), 0o600))
	out, err := exec.Command(verify, "verify", tried).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "comet-guest.service")
}

// Every name of an older tool is a link in the package and explained, and every link is such a name.
func TestPackagedLinks(t *testing.T) {
	recipe, text := read(t, "package", "nfpm.yaml"), read(t, "README.md")
	for name := range oldNames {
		require.Contains(t, recipe, "dst: /usr/bin/"+name+"\n")
		require.Regexp(t, "(?m)^\\|.*`"+name+"[ `]", text)
	}
	require.Equal(t, len(oldNames)+2, strings.Count(recipe, "type: symlink"))
}

// debian is a folder with a fresh Debian in it.
type debian struct {
	*testing.T
	root string
}

// newDebian unpacks a small Debian, which is made once and kept in the user's cache.
func newDebian(t *testing.T) debian {
	t.Helper()
	needs.Root(t, "make a Debian in a folder")
	tool := needs.Program(t, "mmdebstrap", "mmdebstrap")
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	image := filepath.Join(cache, "comet-packages", "bookworm.tar")
	if _, err := os.Stat(image); errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
		made := image + ".new.tar"
		out, err := exec.Command(tool, "--mode=root", "--variant=essential", "--include=init-system-helpers", `--aptopt=Acquire::Languages "none"`,
			"bookworm", made).CombinedOutput()
		require.NoError(t, err, string(out))
		require.NoError(t, os.Rename(made, image))
	}
	d := debian{t, t.TempDir()}
	out, err := exec.Command("tar", "-xf", image, "-C", d.root).CombinedOutput()
	require.NoError(t, err, string(out))
	return d
}

// try runs a command inside, which has a host name of its own.
func (d debian) try(command ...string) (string, error) {
	c := exec.Command("/usr/sbin/chroot", append([]string{d.root}, command...)...)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	return string(out), err
}

func (d debian) run(command ...string) string {
	d.Helper()
	out, err := d.try(command...)
	require.NoError(d, err, out)
	return out
}

func (d debian) write(name, text string, mode fs.FileMode) {
	d.Helper()
	path := filepath.Join(d.root, name)
	require.NoError(d, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(d, os.WriteFile(path, []byte(text), mode))
}

func (d debian) has(name string) bool {
	_, err := os.Lstat(filepath.Join(d.root, name))
	return err == nil
}

// files are all that there are, but for what the package tools write for themselves.
func (d debian) files() (names []string) {
	d.Helper()
	require.NoError(d, fs.WalkDir(os.DirFS(d.root), ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && !strings.HasPrefix(path, "var/lib/dpkg/") && !strings.HasPrefix(path, "var/log/") {
			names = append(names, path)
		}
		return err
	}))
	return names
}

// build makes a Debian package of files, as in the tree below dir.
func (d debian) build(dir, name string) {
	d.Helper()
	out, err := exec.Command("dpkg-deb", "--root-owner-group", "-b", dir, filepath.Join(d.root, "root", name)).CombinedOutput()
	require.NoError(d, err, string(out))
}

// olderTools installs what stands for neuca-guest-tools, with the state of a VM that has run for a while.
func (d debian) olderTools() {
	d.Helper()
	dir := d.TempDir()
	at := debian{d.T, dir}
	at.write("DEBIAN/control", "Package: neuca-guest-tools\nVersion: 1.7-1\nArchitecture: all\nMaintainer: nobody\nDescription: older tools\n", 0o644)
	at.write("DEBIAN/conffiles", "/etc/neuca/config\n", 0o644)
	at.write("DEBIAN/postinst", "#!/bin/sh\ndeb-systemd-helper enable neuca-guest-tools.service\n", 0o755)
	at.write("usr/bin/neucad", "#!/bin/sh\n", 0o755)
	at.write("usr/bin/neuca-get", "#!/bin/sh\n", 0o755)
	at.write("etc/neuca/config", "[runtime]\nset-loopback-hostname = true\n", 0o644)
	at.write("lib/systemd/system/neuca-guest-tools.service", "[Service]\nExecStart=/usr/bin/neucad start\n[Install]\nWantedBy=multi-user.target\n", 0o644)
	d.build(dir, "neuca.deb")
	d.run("dpkg", "--force-unsafe-io", "-i", "/root/neuca.deb")
	d.write("var/lib/neuca/bootscript", "#!/bin/sh\n", 0o700)
}

// packages puts the package into the Debian's root folder, and a later version of it.
func (d debian) packages() {
	d.Helper()
	made := d.TempDir()
	out, err := exec.Command("../../.ci/package", made, "comet-guest", runtime.GOARCH, "deb").CombinedOutput()
	require.NoError(d, err, string(out))
	debs, err := filepath.Glob(filepath.Join(made, "*.deb"))
	require.NoError(d, err)
	require.Len(d, debs, 1)
	d.write("root/guest.deb", read(d.T, debs[0]), 0o644)
	later := filepath.Join(made, "later")
	out, err = exec.Command("dpkg-deb", "-R", debs[0], later).CombinedOutput()
	require.NoError(d, err, string(out))
	control := filepath.Join(later, "DEBIAN/control")
	require.NoError(d, os.WriteFile(control, []byte(strings.Replace(read(d.T, control), "\nVersion: ", "\nVersion: 9", 1)), 0o644))
	d.build(later, "later.deb")
}

const enabled = "etc/systemd/system/multi-user.target.wants/comet-guest.service"

func TestThePackageComesAndGoes(t *testing.T) {
	if testing.Short() {
		t.Skip("it unpacks a Debian")
	}
	d := newDebian(t)
	d.packages()
	const ours, ours2 = "etc/systemd/network/05-comet-guest-fa163e000001.network", "etc/NetworkManager/conf.d/90-comet-guest.conf"
	for _, name := range []string{ours, ours2, "etc/systemd/network/05-theirs.network"} {
		d.write(name, "", 0o644)
	}
	before := d.files()
	d.olderTools()

	d.run("dpkg", "--force-unsafe-io", "-i", "/root/guest.deb")
	old, err := d.try("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "neuca-guest-tools")
	require.NoError(t, err)
	assert.Equal(t, "ic ", old, "removed, its settings kept")
	for _, name := range []string{enabled, "etc/comet/guest.conf", "etc/neuca/config", "var/lib/neuca/bootscript", "usr/sbin/neucad"} {
		assert.True(t, d.has(name), name)
	}
	for name := range oldNames {
		to, err := os.Readlink(filepath.Join(d.root, "usr/bin", name))
		require.NoError(t, err)
		assert.Equal(t, "comet-guest", to)
	}
	assert.Contains(t, d.run("neuca-version"), "comet-guest version")

	d.once()
	d.write("etc/comet/guest.conf", "[guest]\nssh-key = rsa\n", 0o644)
	d.run("dpkg", "--force-unsafe-io", "-i", "/root/later.deb")
	assert.Equal(t, "[guest]\nssh-key = rsa\n", read(t, d.root, "etc/comet/guest.conf"), "people's settings stay")
	assert.True(t, d.has(enabled))
	assert.True(t, d.has("var/lib/comet-guest/identity"))

	d.run("dpkg", "-r", "comet-guest")
	assert.False(t, d.has("usr/bin/neucad"))
	assert.True(t, d.has("etc/comet/guest.conf"))
	assert.True(t, d.has("var/lib/comet-guest/identity"))
	assert.Contains(t, read(t, d.root, "etc/hosts"), "10.0.0.2\tpeer\n", "the machine stays as it is")
	d.run("dpkg", "--force-unsafe-io", "-i", "/root/guest.deb")
	assert.True(t, d.has(enabled), "and comes back")

	require.True(t, d.has(ours) && d.has(ours2))
	d.run("dpkg", "-P", "comet-guest", "neuca-guest-tools")
	assert.False(t, d.has(ours) || d.has(ours2), "networkd and NetworkManager have the interfaces back")
	assert.True(t, d.has("etc/systemd/network/05-theirs.network"))
	var left []string
	for _, name := range d.files() {
		if !slices.Contains(before, name) {
			left = append(left, name)
		}
	}
	assert.Equal(t, []string{"etc/hosts", "root/.ssh", "root/.ssh/id_ed25519", "root/.ssh/id_ed25519.pub",
		"root/neuca.deb", "root/user-data", "var/lib/neuca", "var/lib/neuca/bootscript"}, left)
}

// once lets the guest that is installed make a pass.
func (d debian) once() {
	d.Helper()
	heads := comettest.Start(d.T, 1)
	client, tokens := heads.Client(), scope.Tokens{Read: scope.NewToken(), Write: scope.NewToken()}
	put := func(family, key string, value []byte) {
		d.Helper()
		_, err := client.Write(d.Context(), scope.MustName("slice", family, key), tokens, value)
		require.NoError(d, err)
	}
	put("hostsall", "own", scope.Encode(scope.Host{HostName: "packaged"}))
	put("pubkeysall", "own", scope.Encode(scope.PubKey{}))
	put("hostsall", "peer", scope.Encode(scope.Host{HostName: "peer", IP: "10.0.0.2"}))
	self := orca.UserData{CometHost: heads.List(), CACert: heads.Authority().Certificate().Raw}
	self.SliceID, self.ReservationID = scope.MustName("slice", "any", "any").Context, scope.MustName("slice", "any", "own").Key
	self.HostName = "packaged"
	self.Slice = orca.SliceAccess{Tokens: tokens, HostsRead: []string{"all"}, HostsWrite: []string{"all"}, PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"}}
	text, err := self.INI()
	require.NoError(d, err)
	d.write("root/user-data", string(text), 0o600)
	args := []string{"comet-guest", "once", "--user-data", "/root/user-data", "--address", "10.0.0.1"}
	for _, module := range []string{"hostname", "publish", "hosts", "pubkeys", "known-hosts"} { // no other is this Debian's alone
		args = append(args, "--only", module)
	}
	assert.Contains(d, d.run(args...), "1 host and 0 keys of other VMs in place")
	assert.Contains(d, read(d.T, d.root, "etc/hosts"), "10.0.0.2\tpeer\n")
	assert.Equal(d, "packaged\n", read(d.T, d.root, "etc/hostname"))
	assert.NotContains(d, d.run(args...), "write ")
}
