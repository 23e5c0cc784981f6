package storage_test

import (
	_ "embed"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

//go:embed testdata/iscsiadm
var iscsiadm string

const (
	iqn     = "iqn.2026-01.org.example:vm"
	target  = "iqn.2026-01.org.example:disks"
	target2 = "iqn.2026-01.org.example:others"
	secret  = `s3cret "xyzzy" $1 #2`
)

// vm is a machine with disks behind a stand-in for open-iscsi: their blocks, file systems and mounts are real.
type vm struct {
	*testing.T
	machine  *frame.Machine
	module   *storage.Storage
	settings storage.Settings
	wanted   frame.Wanted[scope.Storage]
	world    string
	port     int
	iscsid   func() string
}

func newVM(t *testing.T) *vm {
	t.Helper()
	needs.Root(t, "mount disks")
	netns.New(t)
	for name, content := range programs {
		if len(content) == 0 {
			needs.Missing(t, "there is no "+name)
		}
		netns.Write(t, "/usr/sbin/"+name, string(content), 0o755)
	}
	require.NoError(t, unix.Mount("tmpfs", "/srv", "tmpfs", 0, "mode=0755"))
	v := &vm{T: t, world: t.TempDir(), settings: storage.Settings{Initiator: iqn}, iscsid: netns.Program(t, "iscsid")}
	t.Cleanup(v.unmount)
	for _, folder := range []string{"by-path", "offers", "secrets"} {
		require.NoError(t, os.Mkdir(filepath.Join(v.world, folder), 0o755))
	}
	netns.Write(t, "/usr/sbin/iscsiadm", strings.ReplaceAll(iscsiadm, "=WORLD", "="+v.world), 0o755)
	var err error
	v.machine, err = frame.Open("/", "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, v.machine.Close()) })
	v.port = v.listen("tcp4", "127.0.0.1:0")
	v.wanted.Whole = true
	v.restart()
	return v
}

// listen answers for portals until the test ends.
func (v *vm) listen(network, at string) (port int) {
	v.Helper()
	l, err := net.Listen(network, at)
	require.NoError(v, err)
	v.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// restart is another guest: it knows what is on disk.
func (v *vm) restart() {
	v.module = storage.New(v.machine, func() (frame.Wanted[scope.Storage], error) { return v.wanted, nil }, v.settings)
	v.module.Look(filepath.Join(v.world, "by-path"), 200*time.Millisecond)
}

// reopen is another guest once this one is closed.
func (v *vm) reopen() {
	v.Helper()
	require.NoError(v, v.machine.Close())
	var err error
	v.machine, err = frame.Open("/", "vm", slog.New(slog.DiscardHandler))
	require.NoError(v, err)
	v.restart()
}

// ledger is what the guest remembers of its own doing.
const ledger = "/var/lib/comet-guest/vm/storage.json"

// unmount takes everything off /srv, and /srv with it.
func (v *vm) unmount() {
	for _, at := range append(v.mounts(), "/srv") {
		_ = unix.Unmount(at, unix.MNT_DETACH)
	}
}

// mounts are the mount points below /srv, the latest first.
func (v *vm) mounts() (list []string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(v, err)
	for text := range strings.Lines(string(text)) {
		if at := strings.Fields(text)[4]; strings.HasPrefix(at, "/srv/") {
			list = append([]string{strings.ReplaceAll(at, `\040`, " ")}, list...)
		}
	}
	return list
}

// reboot loses what is not on disk: mounts, sessions, links.
func (v *vm) reboot() {
	v.Helper()
	for _, at := range v.mounts() {
		require.NoError(v, unix.Unmount(at, 0), at)
	}
	v.write("sessions", "")
	links, err := filepath.Glob(filepath.Join(v.world, "by-path/*"))
	require.NoError(v, err)
	for _, l := range links {
		require.NoError(v, os.Remove(l))
	}
	v.restart()
}

func (v *vm) write(name, text string) {
	v.Helper()
	netns.Write(v, filepath.Join(v.world, name), text, 0o644)
}

// called returns what iscsiadm was asked for since the last time.
func (v *vm) called() string {
	text := v.read(filepath.Join(v.world, "called"))
	v.write("called", "")
	return text
}

func (v *vm) read(file string) string {
	v.Helper()
	text, err := os.ReadFile(file)
	if !os.IsNotExist(err) {
		require.NoError(v, err)
	}
	return string(text)
}

// disk adds a blank disk of that many MiB to a target at the portal, and returns its path.
func (v *vm) disk(target string, lun, size int) (path string) {
	v.Helper()
	image := filepath.Join(v.TempDir(), "disk")
	netns.Write(v, image, "", 0o600)
	require.NoError(v, os.Truncate(image, int64(size)<<20))
	out, err := exec.Command("/usr/sbin/losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		needs.Missing(v.T, "no loop device is to be had: "+string(out))
	}
	path = strings.TrimSpace(string(out))
	v.Cleanup(func() {
		v.unmount()
		assert.NoError(v, exec.Command("/usr/sbin/losetup", "--detach", path).Run())
	})
	v.write(fmt.Sprintf("luns/%s/%d", target, lun), path)
	v.offer("127.0.0.1", target)
	return path
}

// offer adds a target to those of a portal.
func (v *vm) offer(ip, target string) {
	v.Helper()
	portal := net.JoinHostPort(ip, strconv.Itoa(v.port))
	file := filepath.Join(v.world, "offers", portal)
	if line := portal + ",1 " + target + "\n"; !strings.Contains(v.read(file), line) {
		v.write("offers/"+portal, v.read(file)+line)
	}
}

// element is what asks for a file system on a disk and for its mount.
func (v *vm) element(name string, lun int) scope.Storage {
	return scope.Storage{Device: name, Type: "iscsi", TargetIP: "127.0.0.1", TargetPort: strconv.Itoa(v.port), TargetLUN: strconv.Itoa(lun),
		ShouldAttach: "Yes", FSType: "ext4", ShouldFormat: "yes", MountPoint: "/srv/" + name}
}

func (v *vm) want(elements ...scope.Storage) { v.wanted.Elements = elements }

// apply makes one pass.
func (v *vm) apply() frame.Report {
	v.Helper()
	return frametest.Apply(v, v.machine, v.module)
}

// run makes passes until nothing is under way any more, and looks that a further one plans nothing.
func (v *vm) run() frame.Report {
	v.Helper()
	var all frame.Report
	for {
		report := v.apply()
		report.Done = append(all.Done, report.Done...)
		if all = report; report.Err != nil {
			return all
		}
		require.NoError(v, v.module.Wait(v.Context()))
		plan, err := v.module.Plan(v.Context())
		if err != nil || len(plan.Steps) == 0 {
			all.Plan, all.Err = plan, err
			return all
		}
	}
}

// done is run, which must succeed.
func (v *vm) done() frame.Report {
	v.Helper()
	report := v.run()
	require.NoError(v, report.Err)
	return report
}

// uuid asks for the file system on a disk, and what kind it is.
func (v *vm) uuid(path string) string {
	v.Helper()
	out, err := exec.Command("/usr/sbin/blkid", "-p", "-o", "value", "-s", "UUID", path).Output()
	require.NoError(v, err)
	return strings.TrimSpace(string(out))
}

// said returns the notes about something as "KIND: WHY".
func said(r frame.Report, about string) string {
	var all []string
	for _, n := range r.Plan.Notes {
		if n.About == about {
			all = append(all, string(n.Kind)+": "+n.Why)
		}
	}
	return strings.Join(all, "\n")
}

// mountMemory mounts something that is not a disk.
func mountMemory(t *testing.T, at string) {
	t.Helper()
	require.NoError(t, os.Mkdir(at, 0o755))
	require.NoError(t, unix.Mount("tmpfs", at, "tmpfs", 0, ""))
}
