package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/needs"
	"github.com/renci-nrig/comet-go/testdata/programs"
)

// antHandler runs targets of handler.xml as an aggregate manager does.
type antHandler struct {
	site
	program string // comet-am
	temp    string
}

func newAntHandler(t *testing.T) antHandler {
	t.Helper()
	needs.Program(t, "ant", "ant")
	bin := t.TempDir()
	require.NoError(t, programs.Build(bin, "../../cmd/comet-am"))
	return antHandler{site: newSite(t), program: filepath.Join(bin, "comet-am"), temp: t.TempDir()}
}

// ant returns what Ant prints.
func (h antHandler) ant(t *testing.T, target string, properties ...string) (string, error) {
	t.Helper()
	for i, p := range properties {
		properties[i] = strings.ReplaceAll(p, "$", "$$") // Ant takes arguments for text to be expanded
	}
	args := append([]string{"-q", "-f", "handler.xml", "-propertyfile", h.config, "-propertyfile", h.unit,
		"-Dcomet.am=" + h.program, "-Dcomet.am.tokens=" + filepath.Join(h.dir, "tokens"), "-Dneuca.ini.file=" + h.userData(),
		"-Dec2.log.dir=" + filepath.Join(h.dir, "log"), "-Dec2.log.file=nova.log", "-Dec2.log.level=DEBUG"}, properties...)
	c := exec.CommandContext(t.Context(), "ant", append(args, target)...)
	c.Env = append(os.Environ(), "TMPDIR="+h.temp)
	text, err := c.CombinedOutput()
	return string(text), err
}

func (h antHandler) userData() string { return filepath.Join(h.dir, "neuca.ini") }

func (h antHandler) saved() string {
	return filepath.Join(h.dir, "tokens", "ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7")
}

// The fragment does what the tasks and the script did that it replaces.
func TestHandler(t *testing.T) {
	h := newAntHandler(t)
	said := ""
	run := func(target string, properties ...string) string {
		t.Helper()
		text, err := h.ant(t, target, properties...)
		require.NoError(t, err, text)
		said += text
		return text
	}
	assert.Contains(t, run("join"), "iface.list=[eth0.3017.fe:16:3e:00:26:cb eth1.3018.fe:16:3e:00:10:02 ]")
	vm := tokens(t, h.saved())
	assert.Equal(t, 5, h.shown(t, vm.Read))
	told, err := orca.LoadUserData(h.userData())
	require.NoError(t, err)
	assert.Equal(t, vm.Read, told.ReadToken)
	run("join")
	assert.Equal(t, vm, tokens(t, h.saved()), "a repeat has the same")

	// Each is a run of its own, which finds the tokens where the join left them.
	const secret, key = "Planted$$Secret${unit.rid}1", "-Dmodify.key=dev.mod.3"
	assert.Contains(t, run("modify.addstorage", key, "-Dmodify.value=iscsi:10.104.0.7:3260:1:u:"+secret+":yes:ext4::=no:/mnt/b"), "added storage dev.mod.3")
	disks, err := h.client.Storage(t.Context(), told.SliceID, told.ReservationID, vm.Read)
	require.NoError(t, err)
	require.Len(t, disks, 2)
	assert.Equal(t, scope.Hide(secret), disks[1].ChapSecret)
	assert.Contains(t, run("modify.removestorage", key), "deleted storage dev.mod.3")
	const body = "#!/bin/sh\necho Planted $$ ${HOME} @{value} $${x}\n"
	assert.Contains(t, run("modify.addscript", "-Dmodify.key=a$$${b}", "-Dmodify.value="+body), "added scripts a$$${b}")
	scripts, err := h.client.Scripts(t.Context(), told.SliceID, told.ReservationID, vm.Read)
	require.NoError(t, err)
	assert.Equal(t, scope.Script{Name: "a$$${b}", Body: scope.Hide(body)}, scripts[len(scripts)-1])

	assert.Contains(t, run("leave"), "OK")
	assert.Zero(t, h.shown(t, vm.Read))
	assert.Zero(t, h.shown(t, h.slice.Read))
	left, err := os.ReadDir(filepath.Dir(h.saved()))
	require.NoError(t, err)
	assert.Empty(t, left)

	log, err := os.ReadFile(filepath.Join(h.dir, "log", "nova.log"))
	require.NoError(t, err)
	assert.Contains(t, string(log), "msg=generate")
	for _, secret := range []string{vm.Read.Reveal(), vm.Write.Reveal(), h.slice.Read.Reveal(), h.slice.Write.Reveal(), "Planted", "hello from master"} {
		assert.NotContains(t, string(log), secret)
		assert.NotContains(t, said, secret)
	}
	h.assertNothingLeft(t)
}

// assertNothingLeft looks for the files with all properties.
func (h antHandler) assertNothingLeft(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(h.temp, "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// What comet-am warns of is seen in the handler's log, though all is well.
func TestHandlerWarns(t *testing.T) {
	h := newAntHandler(t)
	text, err := h.ant(t, "join", "-Dslice.comet.readToken=", "-Dec2.log.dir=")
	require.NoError(t, err, text)
	assert.Contains(t, text, "[echo] comet-am: warning: no slice.comet.readToken")
	text, err = h.ant(t, "join", "-Dec2.log.dir=")
	require.NoError(t, err, text)
	assert.NotRegexp(t, `(?m)\[echo\]\s*$`, text)
}

// A handler fails where comet-am does, and says why.
func TestHandlerFails(t *testing.T) {
	h := newAntHandler(t)
	text, err := h.ant(t, "join", "-Dunit.eth2.mac=fe:16:3e:00:26:c")
	require.Error(t, err)
	assert.Contains(t, text, "unit.eth2.mac: is not 12 hex digits")
	text, err = h.ant(t, "join", "-Dcomethost=")
	require.Error(t, err)
	assert.Contains(t, text, "Comet is not configured")
	for _, unset := range []string{"", "${unit.rid}"} {
		text, err = h.ant(t, "join", "-Dunit.rid="+unset)
		require.Error(t, err)
		assert.Contains(t, text, "unit.rid is not set")
		assert.NoFileExists(t, filepath.Join(filepath.Dir(h.saved()), unset), "tokens of nobody")
	}
	h.heads.Stop(0)
	h.heads.Stop(1)
	text, err = h.ant(t, "join")
	require.Error(t, err)
	assert.Contains(t, text, "exit code 5")
	text, err = h.ant(t, "leave", "-Dcomet.am=/nowhere/comet-am")
	require.Error(t, err)
	assert.Contains(t, text, "/nowhere/comet-am: exit code none: the program cannot be run; set comet.am to where it is")
	h.assertNothingLeft(t)
}
