package scripts_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/scripts"
	"github.com/renci-nrig/comet-go/scope"
)

func TestMain(m *testing.M) { frametest.Main(m) }

// vm is a machine with the scripts that are wanted on it.
type vm struct {
	*testing.T
	machine  *frame.Machine
	wanted   frame.Wanted[scope.Script]
	settings scripts.Settings
	module   *scripts.Scripts
}

func newVM(t *testing.T) *vm {
	t.Helper()
	v := &vm{T: t, machine: frametest.Machine(t), wanted: frame.Wanted[scope.Script]{Whole: true}}
	v.restart()
	return v
}

// restart puts another guest in the place of the one before.
func (v *vm) restart() {
	v.module = scripts.New(v.machine, func() (frame.Wanted[scope.Script], error) { return v.wanted, nil }, v.settings)
}

func (v *vm) want(scripts ...scope.Script) { v.wanted.Elements = scripts }

// run lets all scripts run, one after the other, until there is nothing left to do.
func (v *vm) run() frame.Report {
	v.Helper()
	for range 50 {
		r := frametest.Apply(v, v.machine, v.module)
		require.NoError(v, r.Err)
		require.NoError(v, v.module.Wait(v.Context()))
		var err error
		r.Plan, err = v.module.Plan(v.Context())
		require.NoError(v, err)
		if len(r.Plan.Steps) == 0 {
			return r
		}
	}
	require.Fail(v, "it comes to no end")
	return frame.Report{}
}

func script(name, body string) scope.Script { return scope.Script{Name: name, Body: scope.Hide(body)} }

func folder(name string) string {
	return "/" + filepath.Join(frame.StateFolder, "instance/scripts", name)
}

func output(t testing.TB, name string) string {
	return frametest.Read(t, filepath.Join(folder(name), name+".log"))
}

func about(notes []frame.Note) string {
	var b strings.Builder
	for _, n := range notes {
		b.WriteString(string(n.Kind) + ": " + n.About + ": " + n.Why + "\n")
	}
	return b.String()
}

func TestEachRunsOnceInOrder(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	const log = "echo $0 >>/root/order; "
	v.want(script("script_10", log), script("script_2", log+"exit 3"), script("bootscript", "\n\n  "+log+"\n"), script("odd: name;$(id) ${HOME}", log))
	r := v.run()
	assert.Equal(t, []string{"bootscript", "script_10", "script_2", "odd__name___id____HOME_-57e5f138"}, names(frametest.Read(t, "/root/order")))
	assert.Equal(t, 3, r.Plan.Count)
	assert.Equal(t, "failed: script script_2: ended with status 3; its output is in /var/lib/comet-guest/instance/scripts/script_2/script_2.log\n", about(r.Plan.Notes))

	v.restart()
	assert.Empty(t, v.run().Done)
	v.want(script("script_2", log+"exit 0"), script("script_10", "  "+log))
	assert.Equal(t, []string{"run script script_2"}, v.run().Done)
	assert.Equal(t, "script_2", names(frametest.Read(t, "/root/order"))[4])
	assert.Len(t, names(frametest.Read(t, "/root/order")), 5, "another content is another script, blanks around it are none")
}

func names(lines string) (names []string) {
	for _, line := range strings.Fields(lines) {
		names = append(names, filepath.Base(line))
	}
	return names
}

func TestOnlyWhatEndedWellCounts(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, unix.Mkfifo("/root/more", 0o600))
	v.want(script("first", "read x </root/more"), script("second", "exit 3"))
	r := frametest.Apply(t, v.machine, v.module)
	assert.Zero(t, r.Plan.Count)
	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	assert.Zero(t, plan.Count, "it is running")
	frametest.Write(t, "/root/more", "x\n", 0)
	assert.Equal(t, 1, v.run().Plan.Count)
}

func TestTheOutputBeforeIsKept(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	for _, body := range []string{"echo 1", "echo 2", "echo 3"} {
		v.want(script("a", body))
		v.run()
	}
	assert.Equal(t, "3\n", output(t, "a"))
	assert.Equal(t, "2\n", frametest.Read(t, folder("a/a.log.1")))
}

func TestSurroundings(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	t.Setenv("COMET_READ_TOKEN", "secret")
	v := newVM(t)
	v.want(
		script("shell", "pwd; umask; env | cut -d= -f1 | sort | tr '\\n' ' '; cat; echo done >&2; echo $HOME"),
		script("bash", "#! /bin/bash -e\necho \"${BASH_VERSION:+bash} $-\"; false; echo not here"),
		script("env", "#!/usr/bin/env bash\r\necho $BASH_VERSION | cut -c1"),
		script("none", "#!/no/such/program\n"),
		script("here", "cat <<X\n\n  indented\nX"),
	)
	v.run()
	assert.Equal(t, folder("shell")+"\n0022\nHOME LANG LOGNAME PATH PWD SHELL USER done\n/root\n", output(t, "shell"))
	assert.Regexp(t, `^bash .*e.*\n$`, output(t, "bash"))
	assert.Equal(t, "5\n", output(t, "env"))
	assert.Contains(t, output(t, "none"), "No such file")
	assert.Equal(t, "\n  indented\n", output(t, "here"))
	for file, want := range map[string]fs.FileMode{
		folder(""): fs.ModeDir | 0o755, folder("shell"): fs.ModeDir | 0o700, filepath.Dir(folder("")): fs.ModeDir | 0o700,
		folder("shell/shell"): 0o600, folder("shell/shell.log"): 0o600, folder("shell/.exit"): 0o600,
	} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode(), file)
	}
}

func TestNothingCanBeExecutedInVar(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	require.NoError(t, os.MkdirAll("/"+frame.StateFolder, 0o700))
	require.NoError(t, unix.Mount("tmpfs", "/"+frame.StateFolder, "tmpfs", unix.MS_NOEXEC, "mode=700"))
	v := newVM(t)
	v.want(script("a", "#!/bin/bash\necho fine"))
	v.run()
	assert.Equal(t, "fine\n", output(t, "a"))
}

func TestWrongElementsAreLeftOutByNameAndField(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	long := strings.Repeat("x", 10<<20)
	v.want(
		script("../x", "echo"), script("/etc/x", "echo"), script("..", "echo"), script("", "echo"), script("-rf", "echo"), script("a\nb", "echo"),
		script("a\x00b", "echo"), script(long, "echo"), script("large", "secret "+long), script("blank", " \n\t"), script("nothing", ""),
		script("good", "echo fine"), script("good", "echo other"),
	)
	r := v.run()
	require.Len(t, r.Plan.Notes, 12)
	text := about(r.Plan.Notes)
	assert.Contains(t, text, `left out: script "../x" (element 0): scriptName cannot be a file's name`)
	assert.Contains(t, text, `left out: script "large" (element 8): scriptBody is longer than 1048576 bytes`)
	assert.Contains(t, text, `left out: script "blank" (element 9): scriptBody is blank`)
	assert.NotContains(t, text, "secret")
	assert.Less(t, len(text), 4000)
	assert.Equal(t, "fine\n", output(t, "good"))
	left, err := os.ReadDir(folder(""))
	require.NoError(t, err)
	assert.Len(t, left, 1)
}

func TestWhatOlderToolsRanIsNotRunAgain(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	require.NoError(t, os.MkdirAll("/var/lib/neuca/storage", 0o755))
	frametest.Write(t, "/var/lib/neuca/bootscript", "echo ran", 0o700)
	v := newVM(t)
	v.want(script("bootscript", "echo ran"), script("storage", "echo new"))
	r := v.run()
	assert.Equal(t, 2, r.Plan.Count)
	assert.NoDirExists(t, folder("bootscript"))
	assert.Equal(t, "new\n", output(t, "storage"), "the folder of that name is no mark")

	v.want(script("bootscript", "echo changed since"))
	v.run()
	assert.Equal(t, "changed since\n", output(t, "bootscript"))
}

func TestOutputIsKeptUpToABound(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.settings.MaxLog = 1024
	v.restart()
	v.want(script("much", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i + 1)); done; exit 7"))
	r := v.run()
	assert.Len(t, output(t, "much"), 1024)
	assert.Contains(t, about(r.Plan.Notes), "ended with status 7", "it was not stopped by it")
}

// What a script leaves running goes on, and may go on saying things; the next script does not wait for it.
func TestWhatAScriptLeavesRunning(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, unix.Mkfifo("/root/more", 0o600))
	v.want(script("first", "(read x </root/more; echo later; echo later >/root/later) & echo now"), script("second", "echo second"))
	v.run()
	assert.Contains(t, output(t, "first"), "now")
	assert.Equal(t, "second\n", output(t, "second"))
	frametest.Write(t, "/root/more", "x\n", 0)
	require.Eventually(t, func() bool { return frametest.Read(t, "/root/later") != "" }, time.Minute, time.Millisecond)
}

func TestScriptsMayHaveToWait(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	why := "waits for users"
	v.module.After(func() string { return why })
	v.want(script("a", "echo a"), script("b", "echo b"))
	r := v.run()
	assert.Equal(t, "waiting: script a: waits for users\nwaiting: script b: comes after script a\n", about(r.Plan.Notes))
	why = ""
	assert.Equal(t, 2, v.run().Plan.Count)
}

func TestNeedsTheMachine(t *testing.T) {
	m, err := frame.Open(t.TempDir(), "instance", nil)
	require.NoError(t, err)
	defer m.Close()
	_, err = scripts.New(m, nil, scripts.Settings{}).Plan(t.Context())
	assert.ErrorIs(t, err, frame.ErrNeedsRoot)
}

func TestNothingRunsWhileNothingIsKnown(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	m := frametest.Machine(t)
	plan, err := scripts.New(m, func() (frame.Wanted[scope.Script], error) { return frame.Wanted[scope.Script]{}, frame.ErrUnknown }, scripts.Settings{}).Plan(t.Context())
	assert.ErrorIs(t, err, frame.ErrUnknown)
	assert.Empty(t, plan.Steps)
}
