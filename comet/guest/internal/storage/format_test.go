package storage_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/testdata/netns"
)

const mib = 1 << 20

// put writes to a disk.
func put(t *testing.T, disk string, at int64, data string) {
	t.Helper()
	f, err := os.OpenFile(disk, os.O_WRONLY|os.O_SYNC, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(data), at)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func hash(t *testing.T, disk string) string {
	t.Helper()
	content, err := os.ReadFile(disk)
	require.NoError(t, err)
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

func mkfs(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("/usr/sbin/mkfs.ext4", append([]string{"-q"}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// A disk that holds anything at all stays as it is, and people are told.
func TestDisksWithDataAreNeverFormatted(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, disk string)
		said    string
	}{
		"another file system":      {func(t *testing.T, disk string) { mkfs(t, "-O", "^has_journal,^extent,^64bit", "-t", "ext2", disk) }, "holds ext2"},
		"the wanted one":           {func(t *testing.T, disk string) { mkfs(t, disk) }, "held ext4 before, and is used as it is"},
		"a swap area":              {func(t *testing.T, disk string) { put(t, disk, 4086, "SWAPSPACE2") }, "left alone"},
		"LVM":                      {func(t *testing.T, disk string) { put(t, disk, 512, "LABELONE\x01\x00\x00\x00\x00\x00\x00\x00") }, "left alone"},
		"LUKS":                     {func(t *testing.T, disk string) { put(t, disk, 0, "LUKS\xba\xbe\x00\x02") }, "left alone"},
		"a partition table":        {func(t *testing.T, disk string) { put(t, disk, 446, mbr) }, "holds a partition table (dos)"},
		"two file systems":         {func(t *testing.T, disk string) { mkfs(t, disk); put(t, disk, 0, "XFSB\x00\x00\x10\x00") }, ""},
		"a byte at its beginning":  {func(t *testing.T, disk string) { put(t, disk, 0, "x") }, "holds data that no probe knows"},
		"a byte in its first MiB":  {func(t *testing.T, disk string) { put(t, disk, mib-1, "x") }, "holds data that no probe knows"},
		"a byte in its last MiB":   {func(t *testing.T, disk string) { put(t, disk, 7*mib, "x") }, "holds data that no probe knows"},
		"a byte at its very end":   {func(t *testing.T, disk string) { put(t, disk, 8*mib-1, "x") }, "holds data that no probe knows"},
		"only wipefs sees it":      {func(t *testing.T, _ string) { standIn(t, "wipefs", "echo something") }, "holds something that wipefs finds"},
		"blkid cannot tell":        {func(t *testing.T, _ string) { standIn(t, "blkid", "exit 8") }, "has traces of more than one"},
		"older tools have used it": {func(t *testing.T, _ string) { netns.Write(t, "/var/lib/neuca/storage/dev0", "ip = 127.0.0.1\n", 0o600) }, "older guest tools have handled it"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			tt.prepare(t, disk)
			before := hash(t, disk)
			e := v.element("dev0", 1)
			e.MountPoint = "" // mounting writes
			v.want(e)
			report := v.done()
			assert.Contains(t, said(report, "storage dev0"), "warning: ")
			assert.Contains(t, said(report, "storage dev0"), tt.said)
			assert.Equal(t, before, hash(t, disk))
			v.reboot()
			v.done()
			assert.Equal(t, before, hash(t, disk))
		})
	}
}

// mbr is the end of a sector with a table of one partition.
var mbr = "\x80\x00\x02\x00\x83\x00\x10\x00\x01\x00\x00\x00\x00\x10\x00\x00" + strings.Repeat("\x00", 48) + "\x55\xaa"

// standIn replaces a program of the system.
func standIn(t *testing.T, name, script string) {
	t.Helper()
	netns.Write(t, "/usr/sbin/"+name, "#!/bin/sh\n"+script+"\n", 0o755)
}

// Probes that cannot be asked say nothing about a disk.
func TestProbesThatFail(t *testing.T) {
	for _, name := range []string{"blkid", "wipefs"} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			v.want(v.element("dev0", 1))
			standIn(t, name, "echo it is broken >&2; exit 4")
			before := hash(t, disk)
			for range 2 {
				report := v.run()
				assert.Contains(t, fmt.Sprint(report.Err, said(report, "storage dev0")), "it is broken")
			}
			assert.Equal(t, before, hash(t, disk))
		})
	}
}

func TestADiskInUseIsNotFormatted(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	mkfs(t, disk)
	require.NoError(t, os.Mkdir("/srv/else", 0o755))
	require.NoError(t, unix.Mount(disk, "/srv/else", "ext4", 0, ""))
	put(t, disk, 0, strings.Repeat("\x00", mib)) // so that probes find nothing
	report := v.done()
	assert.Contains(t, said(report, "storage dev0"), "warning: ")
	assert.NotContains(t, strings.Join(report.Done, "\n"), "make ext4")
	assert.Equal(t, []string{"/srv/else"}, v.mounts())
}

// Whoever has a disk for themselves keeps it, whatever is on it by then.
func TestADiskThatSomebodyHasIsLeftAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		format, said string
		take         func(t *testing.T, disk string)
	}{
		"swap": {"yes", "is swap: it is left alone", func(t *testing.T, disk string) {
			util(t, "mkswap", disk)
			util(t, "swapon", disk)
			t.Cleanup(func() { util(t, "swapoff", disk) })
			standIn(t, "blkid", "exit 2") // for want of a signature
		}},
		"a program": {"yes", "is in use by a program, or by another disk, swap or mount: it is left alone", open},
		"a program, and it holds a file system": {"no", "is in use by a program, or by another disk, swap or mount, and is not mounted",
			func(t *testing.T, disk string) {
				mkfs(t, disk)
				open(t, disk)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			tt.take(t, disk)
			before := hash(t, disk)
			e := v.element("dev0", 1)
			e.ShouldFormat = tt.format
			v.want(e)
			assert.Equal(t, "warning: "+tt.said, strings.ReplaceAll(said(v.done(), "storage dev0"), disk+" ", ""))
			assert.Equal(t, before, hash(t, disk))
			assert.Empty(t, v.mounts())
		})
	}
}

// open has a disk to itself until the test ends.
func open(t *testing.T, disk string) {
	f, err := os.OpenFile(disk, os.O_RDWR|unix.O_EXCL, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
}

func util(t *testing.T, program string, args ...string) {
	t.Helper()
	out, err := exec.Command("/usr/sbin/"+program, args...).CombinedOutput()
	require.NoError(t, err, string(out))
}

// A file system that is there is used where that is the one that is wanted, and its files are as they were.
func TestFileSystemsThatAreThere(t *testing.T) {
	for _, format := range []string{"yes", "no", ""} {
		t.Run("format "+format, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			source := t.TempDir()
			netns.Write(t, filepath.Join(source, "file"), "data", 0o644)
			mkfs(t, "-d", source, disk)
			e := v.element("dev0", 1)
			e.ShouldFormat = format
			if format == "" {
				e.FSType = ""
			}
			v.want(e)
			report := v.done()
			assert.Equal(t, "data", v.read("/srv/dev0/file"))
			assert.Contains(t, v.read("/etc/fstab"), "UUID="+v.uuid(disk)+"\t/srv/dev0\text4\t")
			if format == "yes" {
				assert.Contains(t, said(report, "storage dev0"), "it is not formatted")
			} else {
				assert.Empty(t, report.Plan.Notes)
			}
		})
	}
}

func TestFileSystemsThatAreNotThere(t *testing.T) {
	v := newVM(t)
	mkfs(t, "-t", "ext2", "-O", "^has_journal,^extent,^64bit", v.disk(target, 1, 8))
	v.disk(target, 2, 8)
	one, two := v.element("dev0", 1), v.element("dev1", 2)
	one.ShouldFormat, two.ShouldFormat = "=no", "False"
	v.want(one, two)
	report := v.done()
	assert.Contains(t, said(report, "storage dev0"), "holds ext2: it is left alone")
	assert.Contains(t, said(report, "storage dev1"), "holds no file system to mount")
	assert.Empty(t, v.mounts())
}

func TestMkfsFails(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	e := v.element("dev0", 1)
	e.FSOptions = "-b 99"
	v.want(e)
	before := hash(t, disk)
	for range 3 {
		report := v.run()
		require.ErrorContains(t, report.Err, "dev0: mkfs.ext4: exit status 1; what it said is in /var/lib/comet-guest/vm/storage/dev0.log")
		assert.Empty(t, report.Plan.Steps, "it is not tried again at once")
		assert.False(t, report.Plan.Retry.IsZero(), "but some time")
	}
	assert.Equal(t, before, hash(t, disk))
	assert.Contains(t, v.read("/var/lib/comet-guest/vm/storage/dev0.log"), "99")

	v.wanted.Elements[0].FSOptions = "-b 4096"
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())

}

func TestMkfsThatMakesNothing(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	standIn(t, "mkfs.ext4", "exit 0")
	assert.ErrorContains(t, v.run().Err, "there is no such file system")
}

// What happens between a look at a disk and mkfs is seen.
func TestADiskThatChangesAtTheLastMoment(t *testing.T) {
	for name, change := range map[string]func(v *vm, disk, link string){
		"data":         func(v *vm, disk, _ string) { put(v.T, disk, 100, "x") },
		"another disk": func(v *vm, _, link string) { v.relink(link, v.disk(target2, 1, 16)) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			v.want(v.element("dev0", 1))
			netns.Write(t, "/usr/sbin/mkfs.ext4", "#!/bin/sh\nexit 0\n", 0o755)
			for {
				plan, err := v.module.Plan(t.Context())
				require.NoError(t, err)
				require.NotEmpty(t, plan.Steps)
				last := plan.Steps[len(plan.Steps)-1]
				if !strings.HasPrefix(last.Text, "make ext4") {
					for _, s := range plan.Steps {
						require.NoError(t, s.Do(t.Context()))
					}
					continue
				}
				change(v, disk, filepath.Join(v.world, "by-path", fmt.Sprintf("ip-127.0.0.1:%d-iscsi-%s-lun-1", v.port, target)))
				require.Error(t, last.Do(t.Context()))
				break
			}
			assert.NotContains(t, v.read("/var/lib/comet-guest/vm/storage.json"), "making")
		})
	}
}

func (v *vm) relink(link, disk string) {
	v.Helper()
	require.NoError(v, os.Remove(link))
	require.NoError(v, os.Symlink(disk, link))
}
