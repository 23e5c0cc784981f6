package scripts_test

import (
	"os"
	"os/exec"
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
)

// Where systemd runs the machine, scripts are units of it, and the guest's end is not theirs.
func TestScriptsAreUnits(t *testing.T) {
	if !frametest.UnderSystemd(t) {
		return
	}
	v := newVM(t)
	require.NoError(t, unix.Mkfifo("/root/first", 0o600))
	require.NoError(t, unix.Mkfifo("/root/more", 0o600))
	require.NoError(t, unix.Mkfifo("/root/later", 0o600)) // another one, or the first writer's end would be an end to it
	v.want(
		script("first $x %h", "cat /proc/self/cgroup >/root/first; read x </root/more; echo $x; (read x </root/later; echo later >/root/said) & exit 5"),
		script("second", "echo $$ second"),
	)
	plan, err := v.module.Plan(t.Context())
	require.NoError(t, err)
	require.NoError(t, plan.Steps[0].Do(t.Context()))
	group := strings.TrimSpace(frametest.Read(t, "/root/first"))
	assert.Regexp(t, `/comet-script-first__x__h-[0-9a-f]{8}-[0-9a-f]{8}.service$`, group)

	v.restart() // which knows nothing of it
	r := frametest.Apply(t, v.machine, v.module)
	require.NoError(t, r.Err)
	assert.Equal(t, []string{"watch script first $x %h, which is running"}, r.Done)
	frametest.Write(t, "/root/more", "more\n", 0)
	r = v.run()
	assert.Contains(t, about(r.Plan.Notes), "script first $x %h: ended with status 5")
	logs, err := filepath.Glob(folder("first*/*.log"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	assert.Equal(t, "more\n", frametest.Read(t, logs[0]))
	assert.Regexp(t, `^\d+ second\n$`, output(t, "second"))

	frametest.Write(t, "/root/later", "x\n", 0)
	require.Eventually(t, func() bool { return frametest.Read(t, "/root/said") != "" }, time.Minute, time.Millisecond, "what it left running")
	require.Eventually(t, func() bool { // systemd notices some time after the last process has ended
		out, err := exec.Command("systemctl", "list-units", "--all", "--plain", "--no-legend", "comet-script-*").Output()
		return err == nil && len(out) == 0
	}, time.Minute, 10*time.Millisecond, "nothing is left of them")
}

func TestUnitsAreEndedWhenTheirTimeIsOver(t *testing.T) {
	if !frametest.UnderSystemd(t) {
		return
	}
	v := newVM(t)
	v.settings = scripts.Settings{Limit: time.Second, Grace: 100 * time.Millisecond}
	v.restart()
	require.NoError(t, unix.Mkfifo("/root/never", 0o600))
	v.want(script("long", "trap '' TERM; cat /root/never & setsid cat /root/never & cat /root/never"), script("next", "pgrep -f never"))
	r := v.run()
	assert.Contains(t, about(r.Plan.Notes), "script next: ended with status 1", "it finds nothing")
	assert.Contains(t, about(r.Plan.Notes), "script long: took too long and was ended")
	_, err := os.Stat("/run/systemd/system")
	require.NoError(t, err)
}

// EL7, Ubuntu 18.04 and Debian 9 have a systemd that would shut scripts in with the guest.
func TestWhereSystemdIsTooOld(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	require.NoError(t, os.MkdirAll("/run/systemd/system", 0o755))
	for name, says := range map[string]string{"too old": "echo systemd 238", "without a version": "echo", "broken": "exit 1"} {
		v := newVM(t)
		frametest.Write(t, "/usr/sbin/systemd-run", "#!/bin/sh\n[ \"$1\" = --version ] && "+says+"\n", 0o755)
		v.want(script("a", "echo "+name))
		r := v.run()
		require.Len(t, r.Plan.Notes, 1)
		assert.Equal(t, frame.Waiting, r.Plan.Notes[0].Kind)
		assert.Contains(t, r.Plan.Notes[0].Why, "needs systemd 239 or later")
		assert.Empty(t, r.Done)
	}
}
