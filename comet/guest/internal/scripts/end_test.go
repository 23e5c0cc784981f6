package scripts_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame/frametest"
	"github.com/renci-nrig/comet-go/comet/guest/internal/scripts"
)

// Whatever a script does about signals, nothing of it goes on when its time is over, and the next one is not beside it.
func TestTimeLimit(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.settings = scripts.Settings{Limit: time.Second, Grace: 100 * time.Millisecond, Rerun: true}
	v.restart()
	v.want(script("long", "trap '' TERM; echo begun; mkfifo never; timeout 1h cat never & (cat never); cat never"), script("next", "pgrep -f never"))
	r := v.run()
	assert.Contains(t, about(r.Plan.Notes), "script long: took too long and was ended")
	assert.Contains(t, about(r.Plan.Notes), "script next: ended with status 1", "it finds nothing")
	assert.Equal(t, "begun\n", output(t, "long"))
	assert.Error(t, exec.Command("pgrep", "-f", "never").Run(), "nothing of it is left")
}

// What ended the wrapper, and not the script, leaves nobody who could tell how that ends.
func TestAScriptWithoutItsWrapper(t *testing.T) {
	if !frametest.Inside(t) {
		return
	}
	v := newVM(t)
	v.want(script("first", "trap '' TERM; echo $PPID >/root/first; cat /root/never"), script("next", "pgrep -f never"))
	v.settings.Grace = 100 * time.Millisecond
	v.restart()
	require.NoError(t, unix.Mkfifo("/root/first", 0o600))
	require.NoError(t, unix.Mkfifo("/root/never", 0o600))
	require.Len(t, frametest.Apply(t, v.machine, v.module).Done, 1)
	require.NoError(t, exec.Command("kill", "-KILL", strings.TrimSpace(frametest.Read(t, "/root/first"))).Run())
	r := v.run()
	assert.Contains(t, about(r.Plan.Notes), "script first: was cut short")
	assert.Contains(t, about(r.Plan.Notes), "script next: ended with status 1")
}
