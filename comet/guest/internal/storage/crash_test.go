package storage_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/netns"
)

// journalled returns the UUID that the journal has for a disk.
func (v *vm) journalled(name string) string {
	v.Helper()
	var have struct {
		Devices []struct{ Name, UUID string }
	}
	require.NoError(v, json.Unmarshal([]byte(v.read(ledger)), &have))
	for _, d := range have.Devices {
		if d.Name == name {
			return d.UUID
		}
	}
	return ""
}

// mkfsIs moves the true program aside, and puts a script in its place in which $real runs it.
func (v *vm) mkfsIs(script string) {
	v.Helper()
	const real = "/usr/sbin/mkfs-real"
	netns.Write(v, real, string(programs["mkfs.ext4"]), 0o755)
	standIn(v.T, "mkfs.ext4", `real="`+real+` -t ext4"; world=`+v.world+"\n"+`echo "$@" >>$world/made`+"\n"+script)
}

func (v *vm) made() int { return strings.Count(v.read(filepath.Join(v.world, "made")), "\n") }

func chap(e scope.Storage) scope.Storage {
	e.ChapUser, e.ChapSecret = "user", scope.Hide(secret)
	return e
}

// steps makes n steps and stops, as if killed. It reports whether there were more.
func (v *vm) steps(n int) (more bool) {
	v.Helper()
	for {
		plan, err := v.module.Plan(v.Context())
		require.NoError(v, err)
		if len(plan.Steps) == 0 {
			return false
		}
		for _, s := range plan.Steps {
			if n == 0 {
				return true
			}
			require.NoError(v, s.Do(v.Context()), s.Text)
			n--
		}
		require.NoError(v, v.module.Wait(v.Context()))
	}
}

func TestGuestsThatEndAfterAnyStep(t *testing.T) {
	for n, more := 0, true; more; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			v.write("secrets/"+target, secret)
			v.want(chap(v.element("dev0", 1)))
			v.mkfsIs("exec $real \"$@\"")
			more = v.steps(n)
			v.restart()
			v.done()
			assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
			assert.Equal(t, v.journalled("dev0"), v.uuid(disk))
			made := v.made()
			assert.Equal(t, 1, made, "also where its guest has not seen how it ended")
			v.reboot()
			v.done()
			assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
			assert.Equal(t, made, v.made())
		})
	}
}

const killedVariable = "STORAGE_TEST_KILLED"

// asGuest is another process on the machine of a test.
func asGuest(t *testing.T) {
	v := &vm{T: t, world: os.Getenv(killedVariable), settings: storage.Settings{Initiator: iqn}}
	v.port, _ = strconv.Atoi(v.read(filepath.Join(v.world, "port")))
	m, err := frame.Open("/", "vm", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	v.machine, v.wanted.Whole = m, true
	v.want(chap(v.element("dev0", 1)), v.element("dev1", 2))
	v.restart()
	fmt.Println(begun)
	v.run()
}

const begun = "begun"

// Guests are killed at whatever point they have reached. A file system that was ever mounted stays as it is.
func TestGuestsKilledAtAnyMoment(t *testing.T) {
	if os.Getenv(killedVariable) != "" {
		asGuest(t)
		return
	}
	for life := range 5 {
		t.Run(strconv.Itoa(life), func(t *testing.T) { killedOften(newVM(t)) })
	}
}

func killedOften(v *vm) {
	v.disk(target, 1, 8)
	v.disk(target2, 2, 8)
	v.write("secrets/"+target, secret)
	v.write("port", strconv.Itoa(v.port))
	v.want(chap(v.element("dev0", 1)), v.element("dev1", 2))
	v.mkfsIs("exec $real \"$@\"")
	marked := map[string]bool{}
	for range 8 {
		guest := exec.Command(os.Args[0], "-test.run=^TestGuestsKilledAtAnyMoment$")
		guest.Env = append(os.Environ(), killedVariable+"="+v.world)
		out, err := guest.StdoutPipe()
		require.NoError(v, err)
		require.NoError(v, guest.Start())
		said := bufio.NewScanner(out)
		require.True(v, said.Scan())
		require.Equal(v, begun, said.Text())
		timer := time.AfterFunc(rand.N(60*time.Millisecond), func() { _ = guest.Process.Kill() })
		_ = guest.Wait()
		timer.Stop()
		for _, at := range v.mounts() {
			marked[at] = true
			netns.Write(v, at+"/mark", "mark", 0o600)
		}
	}
	report := v.run()
	if report.Err != nil { // the mkfs of a guest that was killed held the lock
		require.ErrorContains(v, report.Err, "exit status 1")
		v.restart()
		report = v.done()
	}
	assert.Equal(v, 2, report.Plan.Count)
	v.reboot()
	v.done()
	require.ElementsMatch(v, []string{"/srv/dev0", "/srv/dev1"}, v.mounts())
	for at := range marked {
		assert.Equal(v, "mark", v.read(at+"/mark"), at)
	}
}

// midway leaves a guest that ended while mkfs goes on, and returns a function that ends that as well, as the power going out would.
func midway(v *vm, script string) (cut func()) {
	v.Helper()
	pid := filepath.Join(v.world, "pid")
	require.NoError(v, unix.Mkfifo(pid, 0o600))
	require.NoError(v, unix.Mkfifo(filepath.Join(v.world, "on"), 0o600))
	v.mkfsIs(`if [ ! -e $world/cut ]; then ` + script + `; echo $$ >$world/pid; read x <$world/on; fi; exec $real "$@"`)
	report := v.apply()
	require.NoError(v, report.Err)
	require.Contains(v, strings.Join(report.Done, "\n"), "make ext4 on dev0")
	number, err := strconv.Atoi(strings.TrimSpace(v.read(pid)))
	require.NoError(v, err)
	group, err := syscall.Getpgid(number)
	require.NoError(v, err)
	require.NotEqual(v, syscall.Getpgrp(), group)
	before := v.module
	v.restart()
	return func() {
		v.write("cut", "")
		require.NoError(v, syscall.Kill(-group, syscall.SIGKILL))
		require.NoError(v, before.Wait(v.Context()))
	}
}

func TestMkfsOutlivesItsGuest(t *testing.T) {
	v := newVM(t)
	disk := v.disk(target, 1, 8)
	v.want(v.element("dev0", 1))
	midway(v, "true")
	v.reopen()
	report := v.apply()
	assert.Equal(t, []string{"watch how ext4 is made on dev0"}, report.Done)
	assert.Contains(t, said(report, "storage dev0"), "waiting: ext4 is being made")
	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	assert.Empty(t, plan.Steps)
	v.write("cut", "") // others do not stop
	v.write("on", "go on\n")
	require.NoError(t, v.module.Wait(t.Context()))
	v.done()
	assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
	assert.Equal(t, v.journalled("dev0"), v.uuid(disk))
	assert.Equal(t, 1, v.made())
}

// What was begun is done again, with the choice that was made before, also where it looks as if it had ended.
func TestMkfsThatWasCutShort(t *testing.T) {
	for name, part := range map[string]string{
		"a part":      `for last; do :; done; echo a part >$last`,
		"a signature": `$real "$@"; for last; do :; done; dd if=/dev/zero of=$last bs=64k seek=1 count=16 conv=notrunc`,
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			v.want(v.element("dev0", 1))
			cut := midway(v, part)
			uuid := v.journalled("dev0")
			cut()
			require.NotEmpty(t, uuid)
			report := v.done()
			assert.Contains(t, strings.Join(report.Done, "\n"), "make ext4 once more on dev0")
			assert.Equal(t, uuid, v.uuid(disk))
			assert.Equal(t, []string{"/srv/dev0"}, v.mounts())
			assert.Equal(t, 2, v.made())
		})
	}
}

// Some mkfs refuse a disk with a file system on it, and must be told that a part of their own is none.
func TestMkfsThatRefusesWhatItHasBegun(t *testing.T) {
	v := newVM(t)
	v.disk(target, 1, 8)
	e := v.element("dev0", 1)
	e.FSType, e.MountPoint = "xfs", ""
	v.want(e)
	standIn(t, "mkfs.xfs", `world=`+v.world+`
echo "$@" >>$world/made
[ -e $world/begun ] && [ "$3" != -f ] && exit 1
for last; do :; done
/usr/sbin/mkfs.ext4 -q -F -U "${2#uuid=}" $last
[ -e $world/begun ] || { touch $world/begun; exit 1; }`)
	require.Error(t, v.run().Err)
	v.restart()
	v.done()
	assert.Equal(t, 2, v.made())
	assert.Contains(t, v.read("/var/lib/comet-guest/vm/storage.json"), `"state":"made"`)
}

// A disk that is not the one in the journal, or that holds something else by now, is not done again.
func TestWhatWasBegunMayBeAnotherDiskNow(t *testing.T) {
	for name, change := range map[string]func(v *vm, disk, link string){
		"another size":  func(v *vm, _, link string) { v.relink(link, v.disk(target2, 9, 16)) },
		"other content": func(v *vm, disk, _ string) { mkfs(v.T, "-F", disk) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			disk := v.disk(target, 1, 8)
			v.want(v.element("dev0", 1))
			midway(v, "true")()
			content := programs["mkfs.ext4"]
			netns.Write(t, "/usr/sbin/mkfs.ext4", string(content), 0o755)
			change(v, disk, filepath.Join(v.world, "by-path", fmt.Sprintf("ip-127.0.0.1:%d-iscsi-%s-lun-1", v.port, target)))
			before := hash(t, disk)
			report := v.done()
			assert.Contains(t, said(report, "storage dev0"), "left alone")
			assert.Empty(t, report.Done)
			assert.Equal(t, before, hash(t, disk))
			assert.Empty(t, v.mounts())
		})
	}
}
