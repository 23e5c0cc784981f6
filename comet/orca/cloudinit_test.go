package orca_test

import (
	"encoding/pem"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// cloud is what cloud-init reads out of user data.
type cloud struct {
	WriteFiles []struct{ Path, Permissions, Content string } `json:"write_files"`
	RunCmd     []string                                      `json:"runcmd"`
}

func parseCloud(t *testing.T, text []byte) (c cloud, files map[string]string) {
	t.Helper()
	require.True(t, strings.HasPrefix(string(text), "#cloud-config\n"))
	require.NoError(t, yaml.UnmarshalStrict(text, &c))
	files = map[string]string{}
	for _, f := range c.WriteFiles {
		files[f.Path+" "+f.Permissions] = f.Content
	}
	return c, files
}

func member(ca []byte) orca.UserData {
	u := orca.UserData{CometHost: "https://a:8111/", CACert: ca}
	u.SliceID, u.ReservationID = scope.MustName("s", "f", "r").Context, scope.MustName("s", "f", "r").Key
	u.HostName = "workers-0"
	u.Slice = orca.SliceAccess{Tokens: scope.Tokens{Read: scope.MustToken("SliceRead1"), Write: scope.MustToken("SliceWrite1")}, HostsRead: []string{"all"}}
	return u
}

func TestCloudInitGivesTheGuestAllItNeeds(t *testing.T) {
	for _, form := range []string{"ca.der", "ca.pem"} {
		ca, err := os.ReadFile("../../testdata/keystores/" + form)
		require.NoError(t, err)
		text, err := orca.Install{Address: netip.MustParseAddr("10.0.0.7"), Off: []string{"users", "scripts"}}.CloudInit(member(ca))
		require.NoError(t, err)
		c, files := parseCloud(t, text)
		require.Len(t, files, 3)
		block, _ := pem.Decode([]byte(files["/etc/comet/ca.pem 0644"]))
		require.NotNil(t, block, form)
		u, err := orca.ParseUserData([]byte(files["/etc/comet/user-data.ini 0600"]))
		require.NoError(t, err)
		assert.Equal(t, member(nil).Slice, u.Slice)
		assert.Equal(t, "workers-0", u.HostName)
		assert.Contains(t, files["/etc/comet/cloud-init.conf 0644"],
			"\n[guest]\nsource = /etc/comet/user-data.ini\naddress = 10.0.0.7\n\n[modules]\nusers = off\nscripts = off\n")
		assert.Equal(t, []string{"systemctl daemon-reload", "systemctl enable comet-guest.service", "systemctl restart comet-guest.service"}, c.RunCmd[1:],
			"a guest that the image has started already knows nothing of the files")
	}
}

// A package has its unit. With the program alone one comes along, which gives way to one that is there.
func TestCloudInitBringsTheUnitWhereNoPackageDoes(t *testing.T) {
	ca, sum := []byte("-----BEGIN CERTIFICATE-----\n"), strings.Repeat("0", 64)
	for url, brings := range map[string]bool{"": true, "https://host/comet-guest": true, "https://host/g.deb": false, "https://host/g.rpm?x=1": false} {
		install := orca.Install{URL: url, Unit: "[Service]\n"}
		if url != "" {
			install.SHA256 = sum
		}
		text, err := install.CloudInit(member(ca))
		require.NoError(t, err)
		c, files := parseCloud(t, text)
		unit, there := files["/run/comet-guest.service 0644"]
		assert.Equal(t, brings, there, url)
		if !brings {
			continue
		}
		assert.Equal(t, "[Service]\n", unit)
		for known, want := range map[string]string{"true": "", "false": "-m 0644 /run/comet-guest.service /etc/systemd/system/comet-guest.service\n"} {
			bin := t.TempDir()
			for name, body := range map[string]string{"systemctl": known, "install": `echo "$@"`} {
				require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700))
			}
			run := exec.Command("sh", "-c", c.RunCmd[1])
			run.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
			out, err := run.CombinedOutput()
			require.NoError(t, err, string(out))
			assert.Equal(t, want, string(out))
		}
	}
}

func TestCloudInitFetchesTheGuest(t *testing.T) {
	sum := strings.Repeat("aB", 32)
	for url, want := range map[string]string{
		"https://host/comet-guest_1_amd64.deb": "dpkg -i /run/comet-guest.fetched.deb",
		"https://host/comet-guest.rpm?x=1":     "rpm -U --replacepkgs /run/comet-guest.fetched.rpm",
		"https://host/v1.0/comet-guest":        "install -m 0755 -T /run/comet-guest.fetched /usr/bin/comet-guest",
	} {
		text, err := orca.Install{URL: url, SHA256: sum}.CloudInit(member([]byte("-----BEGIN CERTIFICATE-----\n")))
		require.NoError(t, err)
		c, _ := parseCloud(t, text)
		assert.Contains(t, c.RunCmd[0], "'"+url+"'")
		assert.Contains(t, c.RunCmd[0], strings.ToLower(sum)+"  /run/comet-guest.fetched")
		assert.True(t, strings.HasSuffix(c.RunCmd[0], " && "+want), c.RunCmd[0])
		assert.NoError(t, exec.Command("sh", "-n", "-c", c.RunCmd[0]).Run(), "the shell understands it")
	}
}

// What was fetched and is not what it should be is not installed.
func TestCloudInitInstallsNothingThatItDoesNotKnow(t *testing.T) {
	bin := t.TempDir()
	for name, body := range map[string]string{
		"curl":    "while [ $# -gt 1 ]; do [ $1 = -o ] && echo other > $2; shift; done",
		"install": "touch " + filepath.Join(bin, "installed"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	}
	text, err := orca.Install{URL: "https://host/comet-guest", SHA256: strings.Repeat("0", 64)}.CloudInit(member([]byte("-----BEGIN CERTIFICATE-----\n")))
	require.NoError(t, err)
	c, _ := parseCloud(t, text)
	script := strings.ReplaceAll(c.RunCmd[0], "/run/", bin+"/")
	run := exec.Command("sh", "-c", script)
	run.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	out, err := run.CombinedOutput()
	require.Error(t, err, "%s", out)
	assert.FileExists(t, filepath.Join(bin, "comet-guest.fetched"))
	assert.NoFileExists(t, filepath.Join(bin, "installed"))
}

func TestCloudInitRefusesWhatAVMCouldNotUse(t *testing.T) {
	ca := []byte("-----BEGIN CERTIFICATE-----\n")
	sum := strings.Repeat("0", 64)
	long := member([]byte("-----BEGIN" + strings.Repeat("x", 60000)))
	odd := member(ca)
	odd.SliceName = "a ;b"
	for name, tt := range map[string]struct {
		u       orca.UserData
		install orca.Install
		want    string
	}{
		"no CA":           {member(nil), orca.Install{}, "cometcacert: is missing"},
		"http":            {member(ca), orca.Install{URL: "http://host/x", SHA256: sum}, "none of the kind https://"},
		"a password":      {member(ca), orca.Install{URL: "https://u:Planted@host/x", SHA256: sum}, "none of the kind https://"},
		"no URL":          {member(ca), orca.Install{SHA256: sum}, "none of the kind https://"},
		"a quote":         {member(ca), orca.Install{URL: "https://host/x'y", SHA256: sum}, "character that does not belong"},
		"a blank":         {member(ca), orca.Install{URL: "https://host/x y", SHA256: sum}, "character that does not belong"},
		"no sum":          {member(ca), orca.Install{URL: "https://host/x"}, "is not 64 hex digits"},
		"a wrong sum":     {member(ca), orca.Install{URL: "https://host/x", SHA256: sum[2:]}, "is not 64 hex digits"},
		"too long":        {long, orca.Install{}, "OpenStack takes 65535"},
		"an odd property": {odd, orca.Install{}, "slice_name: cannot be written"},
	} {
		_, err := tt.install.CloudInit(tt.u)
		require.ErrorContains(t, err, tt.want, name)
		assert.NotContains(t, err.Error(), "Planted", name)
	}
}
