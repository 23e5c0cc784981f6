package scripts_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
)

const killedVariable = "SCRIPTS_TEST_KILLED"

// asGuest makes passes until it is killed, and reports whether this process is to do so.
func (v *vm) asGuest() bool {
	if os.Getenv(killedVariable) == "" {
		return false
	}
	fmt.Println("begun")
	v.run()
	fmt.Println("ended")
	return true
}

// guest starts asGuest in a process of its own, and returns what it says.
func (v *vm) guest() (*exec.Cmd, *bufio.Scanner) {
	v.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+v.Name()+"$")
	cmd.Env = append(os.Environ(), killedVariable+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(v, err)
	require.NoError(v, cmd.Start())
	said := bufio.NewScanner(out)
	require.True(v, said.Scan())
	return cmd, said
}

// A script outlives its guest, and the next guest finds it, and how it ended.
func TestAScriptOutlivesItsGuest(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(script("first", "echo begun >/root/first; read x </root/more; echo $x; exit 5"), script("second", "echo second"))
	if v.asGuest() {
		return
	}
	require.NoError(t, unix.Mkfifo("/root/first", 0o600))
	require.NoError(t, unix.Mkfifo("/root/more", 0o600))

	guest, _ := v.guest()
	assert.Equal(t, "begun\n", frametest.Read(t, "/root/first"))
	require.NoError(t, guest.Process.Kill())
	require.Error(t, guest.Wait())

	r := frametest.Apply(t, v.machine, v.module)
	require.NoError(t, r.Err)
	assert.Equal(t, []string{"watch script first, which is running"}, r.Done)
	frametest.Settled(t, v.module)
	frametest.Write(t, "/root/more", "more\n", 0)
	r = v.run()
	assert.Equal(t, "more\n", output(t, "first"))
	assert.Equal(t, "second\n", output(t, "second"))
	assert.Contains(t, about(r.Plan.Notes), "script first: ended with status 5")
}

func TestAScriptEndsWhileThereIsNoGuest(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(script("first", "echo $$ >/root/first; read x </root/more; echo $x"), script("second", "echo second"))
	if v.asGuest() {
		return
	}
	require.NoError(t, unix.Mkfifo("/root/first", 0o600))
	require.NoError(t, unix.Mkfifo("/root/more", 0o600))
	guest, _ := v.guest()
	frametest.Read(t, "/root/first")
	require.NoError(t, guest.Process.Kill())
	require.Error(t, guest.Wait())
	frametest.Write(t, "/root/more", "more\n", 0)
	require.Eventually(t, func() bool { return frametest.Read(t, folder("first/.exit")) != "" }, time.Minute, time.Millisecond)

	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	assert.Contains(t, append(frametest.Texts(plan), "watch script first, which is running"), plan.Steps[0].Text)
	r := v.run()
	assert.Empty(t, about(r.Plan.Notes))
	assert.Equal(t, "second\n", output(t, "second"))
}

// A guest that is closed while a script runs, as by a reload, still sees how that ends: what the script leaves running stays.
func TestAScriptEndsBehindAClosedGuest(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	for _, fifo := range []string{"first", "more", "never"} {
		require.NoError(t, unix.Mkfifo("/root/"+fifo, 0o600))
	}
	v.want(script("bootscript", "cat /root/never & echo begun >/root/first; read x </root/more; exit 3"))
	require.Len(t, frametest.Apply(t, v.machine, v.module).Done, 1)
	frametest.Read(t, "/root/first")
	require.NoError(t, v.machine.Close())
	frametest.Write(t, "/root/more", "more\n", 0)
	require.NoError(t, v.module.Wait(t.Context()))
	assert.NoError(t, exec.Command("pgrep", "-f", "cat /root/never").Run(), "what it left running")

	v.machine = frametest.Machine(t)
	v.restart()
	frametest.Settled(t, v.module)
	assert.Contains(t, about(v.run().Plan.Notes), "script bootscript: ended with status 3")
}

// Where it cannot be read how a script has ended, it may have ended well.
func TestAScriptWhoseEndCannotBeRead(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, unix.Mkfifo("/root/never", 0o600))
	v.want(script("first", "mkdir .exit; cat /root/never &"))
	require.Len(t, frametest.Apply(t, v.machine, v.module).Done, 1)
	require.NoError(t, v.module.Wait(t.Context()))
	assert.ErrorContains(t, frametest.Apply(t, v.machine, v.module).Err, "note how script first has ended: ")
	assert.NoError(t, exec.Command("pgrep", "-f", "cat /root/never").Run(), "what it left running")

	require.NoError(t, os.Rename(folder("first/.exit/.exit.new"), folder("first/.told")))
	require.NoError(t, os.Remove(folder("first/.exit")))
	require.NoError(t, os.Rename(folder("first/.told"), folder("first/.exit")))
	assert.Equal(t, 1, v.run().Plan.Count)
	assert.NoError(t, exec.Command("pgrep", "-f", "cat /root/never").Run())
}

// cutShort leaves a script that ran until the machine went down.
func cutShort(t *testing.T, v *vm) {
	t.Helper()
	require.NoError(t, unix.Mkfifo("/root/first", 0o600))
	require.NoError(t, v.tryFirst())
	pid, err := strconv.Atoi(strings.TrimSpace(frametest.Read(t, "/root/first")))
	require.NoError(t, err)
	group, err := syscall.Getpgid(pid)
	require.NoError(t, err)
	require.NotEqual(t, syscall.Getpgrp(), group)
	require.NoError(t, syscall.Kill(-group, syscall.SIGKILL))
	require.NoError(t, v.module.Wait(t.Context()))
	require.NoError(t, os.Remove("/root/first"))
	reboot(t)
	v.restart()
}

// reboot makes it look as if the machine had come up anew.
func reboot(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "boot_id")
	frametest.Write(t, file, fmt.Sprintf("%032x\n", rand.Uint64()), 0o444)
	const id = "/proc/sys/kernel/random/boot_id"
	_ = unix.Unmount(id, unix.MNT_DETACH) // that of the boot before
	require.NoError(t, unix.Mount(file, id, "", unix.MS_BIND, ""))
}

const endless = "if mkdir /root/once; then echo $$ >/root/first; read x </proc/self/fd/0 || cat /root/never; fi; echo fine"

func TestAScriptThatWasCutShortIsReported(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, unix.Mkfifo("/root/never", 0o600))
	v.want(script("first", endless), script("second", "echo second"))
	cutShort(t, v)
	r := v.run()
	assert.Contains(t, about(r.Plan.Notes), "failed: script first: was cut short, and is not run again")
	assert.NotContains(t, output(t, "first"), "fine")
	assert.Equal(t, "second\n", output(t, "second"))
}

func TestAScriptThatWasCutShortIsRunAgain(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.settings.Rerun = true
	v.restart()
	require.NoError(t, unix.Mkfifo("/root/never", 0o600))
	v.want(script("first", endless))
	cutShort(t, v)
	r := v.run()
	assert.Empty(t, about(r.Plan.Notes))
	assert.Contains(t, output(t, "first"), "fine")
}

// A script may be the reason why the machine goes down each time.
func TestAScriptThatIsAlwaysCutShortComesToAnEnd(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.settings.Rerun = true
	v.restart()
	require.NoError(t, unix.Mkfifo("/root/never", 0o600))
	v.want(script("first", "echo run >>/root/ran; echo $$ >/root/first; cat /root/never"), script("second", "echo second"))
	for range 3 {
		cutShort(t, v)
	}
	r := v.run()
	assert.Contains(t, about(r.Plan.Notes), "failed: script first: was cut short 3 times, and is not run again")
	assert.Equal(t, "run\nrun\nrun\n", frametest.Read(t, "/root/ran"))
	assert.Equal(t, "second\n", output(t, "second"))
	assert.Equal(t, 1, r.Plan.Count)
}

// The machine went down between the journal and the script, or just behind: nobody can tell.
func TestAJournalWithoutAScript(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(script("first", "echo fine"))
	back := hide(t, "/bin/sh")
	require.Error(t, v.tryFirst())
	back()

	v.restart()
	r := v.run()
	assert.Empty(t, about(r.Plan.Notes), "in the same boot it is certain that it has not begun")
	assert.Equal(t, "fine\n", output(t, "first"))

	v.want(script("second", "echo fine"))
	back = hide(t, "/bin/sh")
	require.Error(t, v.tryFirst())
	back()
	reboot(t)
	v.restart()
	assert.Contains(t, about(v.run().Plan.Notes), "script second: was cut short")
}

// A guest that is killed while it starts a script may leave a process that is not yet to be known as the script's. The next guest starts
// the script, and one of the two processes finds it begun: the script runs once, whichever comes first.
func TestAScriptThatIsStartedTwiceRunsOnce(t *testing.T) {
	for _, first := range []string{"its own", "the other"} {
		t.Run(first, func(t *testing.T) {
			if !frametest.Inside(t) {
				return
			}
			v := newVM(t)
			require.NoError(t, unix.Mkfifo("/root/begun", 0o600))
			require.NoError(t, unix.Mkfifo("/root/more", 0o600))
			v.want(script("first", "echo ran >>/root/ran; if mkdir /root/once; then echo begun >/root/begun; read x </root/more; fi"))
			other := v.startOf()
			plan, err := v.module.Plan(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"run script first"}, frametest.Texts(plan))
			start := []func() error{func() error { return plan.Steps[0].Do(t.Context()) }, other.Start}
			if first == "the other" {
				slices.Reverse(start)
			}
			require.NoError(t, start[0]())
			frametest.Read(t, "/root/begun")
			require.NoError(t, start[1]())
			if first == "its own" {
				_ = other.Wait()
			}
			frametest.Write(t, "/root/more", "more\n", 0)
			r := v.run()
			assert.Empty(t, about(r.Plan.Notes))
			assert.Equal(t, 1, r.Plan.Count)
			assert.Equal(t, "ran\n", frametest.Read(t, "/root/ran"))
			if first == "the other" {
				require.NoError(t, other.Wait())
			}
		})
	}
}

// startOf returns how the first script is started, and leaves a journal by which it is about to.
func (v *vm) startOf() *exec.Cmd {
	v.Helper()
	back := hide(v.T, "/bin/sh")
	frametest.Write(v.T, "/bin/sh", "#!/bin/sh.hidden\nprintf '%s\\0' \"$@\" >/root/arguments\n", 0o755)
	require.NoError(v, unix.Mkfifo("/root/arguments", 0o600))
	require.NoError(v, v.tryFirst())
	arguments := strings.Split(strings.TrimSuffix(frametest.Read(v.T, "/root/arguments"), "\x00"), "\x00")
	require.NoError(v, v.module.Wait(v.Context()))
	require.NoError(v, os.RemoveAll("/"+frame.StateFolder))
	require.NoError(v, os.Remove("/bin/sh"))
	v.restart()
	require.Error(v, v.tryFirst())
	back()
	v.restart()
	cmd := exec.Command("/bin/sh", arguments...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// tryFirst makes the first step that there is to be made.
func (v *vm) tryFirst() error {
	v.Helper()
	plan, err := v.module.Plan(v.Context())
	require.NoError(v, err)
	require.Len(v, plan.Steps, 1)
	return plan.Steps[0].Do(v.Context())
}

// Guests are killed at whatever point they have reached. Each script runs once all the same.
func TestGuestsKilledAtAnyMoment(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	for i := range 12 {
		v.want(append(v.wanted.Elements, script(fmt.Sprint("script_", i), "echo $0 >>/root/ran; sleep 0.0"+fmt.Sprint(i)))...)
	}
	if v.asGuest() {
		return
	}
	for range 25 {
		guest, _ := v.guest()
		timer := time.AfterFunc(rand.N(80*time.Millisecond), func() { _ = guest.Process.Kill() })
		_ = guest.Wait()
		timer.Stop()
	}
	r := v.run()
	assert.Equal(t, 12, r.Plan.Count)
	assert.Empty(t, about(r.Plan.Notes))
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint("script_", i))
	}
	assert.Equal(t, want, names(frametest.Read(t, "/root/ran")))
}

// The text of a script is in files that only root may read, and nowhere else.
func TestBodiesStayPrivate(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	const secret = "password=xyzzy"
	require.NoError(t, unix.Mkfifo("/root/first", 0o600))
	require.NoError(t, unix.Mkfifo("/root/more", 0o600))
	v.want(script("first", secret+"\necho begun >/root/first; read x </root/more; false"), script("second", secret))
	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%+v %#v", plan, v.wanted), "xyzzy")
	require.NoError(t, plan.Steps[0].Do(t.Context()))
	frametest.Read(t, "/root/first")
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, line := range lines {
		assert.NotContains(t, frametest.Read(t, line), "xyzzy")
		assert.NotContains(t, frametest.Read(t, strings.Replace(line, "cmdline", "environ", 1)), "xyzzy")
	}
	frametest.Write(t, "/root/more", "x\n", 0)
	require.NoError(t, v.module.Wait(t.Context()))
	r := v.run()
	assert.NotContains(t, about(r.Plan.Notes), "xyzzy")
	assert.NotContains(t, frametest.Read(t, "/"+filepath.Join(frame.StateFolder, "instance/scripts.json")), "xyzzy")
}

// hide takes a program away until the function is called that it returns.
func hide(t *testing.T, program string) (back func()) {
	t.Helper()
	require.NoError(t, os.Rename(program, program+".hidden"))
	return func() { require.NoError(t, os.Rename(program+".hidden", program)) }
}
