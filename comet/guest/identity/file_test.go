package identity_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func inFile(t testing.TB, text string) identity.File {
	t.Helper()
	return identity.File{Path: filepath.Join(documents{"who": text}.folder(t), "who")}
}

// What a file is its content tells.
func TestFiles(t *testing.T) {
	for _, text := range []string{ini(t), "\ufeff" + ini(t), compressed(t, ini(t))} {
		file := inFile(t, text)
		self := found(t, file)
		assert.Equal(t, iniKey, self.InstanceID)
		assert.Equal(t, "workers-0", self.UserData.HostName)
		assert.False(t, self.OpenStack)
		assert.Equal(t, file.Path, self.Source)
	}
	for _, text := range []string{metadata(t), "\n\t " + metadata(t), compressed(t, metadata(t))} {
		self := found(t, inFile(t, text))
		assert.Equal(t, uuid, self.InstanceID)
		assert.Equal(t, metaKey, self.UserData.ReservationID.String())
		assert.True(t, self.OpenStack)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "huge"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(dir, "huge"), 1<<40))
	for name, want := range map[string]string{
		"missing": "missing: nothing for this VM (it is not there)",
		".":       "it is not a regular file",
		"pipe":    "pipe: it is not a regular file",
		"huge":    "huge: it is longer than 1 MiB",
	} {
		assert.Contains(t, refused(t, identity.File{Path: dir + "/" + name}), want)
	}
	for text, want := range map[string]string{
		"":                  "nothing for this VM (it is empty)",
		"#cloud-config\n":   "nothing for this VM (it is no ini file with a section [global])",
		`{"meta":{}}`:       "nothing for this VM (it is no JSON whose meta, or metadata, has slice_id or comethost)",
		"[global]\nhunter2": "must be mended: line 2: is no [section], no key=value",
		`{"hostname":1,"meta":{"slice_id":"hunter2"}}`: "must be mended: line 1: hostname: is JSON of the wrong kind: number",
	} {
		assert.Contains(t, refused(t, inFile(t, text)), want)
	}
}

// A file of a machine below a folder is looked for there, whatever links lie in it.
func TestAFileBelowARoot(t *testing.T) {
	outside := inFile(t, ini(t))
	root := documents{"etc/comet/who": ini(t)}.folder(t)
	file := identity.File{Path: "/etc/comet/who", Root: root}
	assert.Equal(t, filepath.Join(root, "etc/comet/who"), found(t, file).Source)
	require.NoError(t, os.Symlink("who", filepath.Join(root, "etc/comet/link")))
	found(t, identity.File{Path: "/etc/comet/link", Root: root})
	require.NoError(t, os.Symlink(outside.Path, filepath.Join(root, "etc/comet/out")))
	assert.Contains(t, refused(t, identity.File{Path: "/etc/comet/out", Root: root}), "file "+root+"/etc/comet/out: ")
	assert.Contains(t, refused(t, identity.File{Path: outside.Path, Root: root}), "it is not there")
	found(t, identity.File{Path: filepath.Join(root, "etc/comet/out"), Root: "/"})
}

func given() orca.UserData {
	name := scope.MustName("slice/1", "any", "vm-0")
	return orca.UserData{
		Identity:  orca.Identity{SliceID: name.Context, ReservationID: name.Key, HostName: "vm-0"},
		CometHost: "https://comet.example.net:8111/",
		Slice: orca.SliceAccess{Tokens: scope.Tokens{Read: scope.MustToken("hunter2r"), Write: scope.MustToken("hunter2w")},
			HostsRead: []string{"all"}, HostsWrite: []string{"all"}},
	}
}

// As Mobius calls its guest: everything by flags, several slices on one VM.
func TestFlagsAlone(t *testing.T) {
	self := found(t, identity.Given{UserData: given()})
	assert.Equal(t, given(), self.UserData)
	assert.Regexp(t, `^slice-1-vm-0-[0-9a-f]{16}$`, self.InstanceID)
	assert.Equal(t, "flags", self.Source)

	other := given()
	other.SliceID = scope.MustName("slice/2", "any", "vm-0").Context
	assert.NotEqual(t, self.InstanceID, found(t, identity.Given{UserData: other}).InstanceID)

	other.ReservationID = scope.Key{}
	assert.Contains(t, refused(t, identity.Given{UserData: other}), "flags: must be mended: the slice and the VM's key in it are needed")
	other = given()
	other.Slice.Tokens.Read = scope.MustToken("hunter2 ;")
	assert.Contains(t, refused(t, identity.Given{UserData: other}), "given: slicecometreadtoken: cannot be written to user data")
}
