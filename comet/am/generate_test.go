package am_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// TestGenerateVectors compares with the arrays that must be stored for each VM of the slice.
func TestGenerateVectors(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/slice/*.properties")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, err := orca.LoadProperties(path)
			require.NoError(t, err)
			families, err := am.Generate(p)
			require.NoError(t, err)

			expected, err := os.ReadFile(strings.TrimSuffix(path, ".properties") + ".families.json")
			require.NoError(t, err)
			var want map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(expected, &want))

			var order []scope.Family
			for family, value := range families.Values() {
				order = append(order, family)
				var body struct {
					Val string `json:"val_"`
				}
				require.NoError(t, json.Unmarshal(value, &body))
				require.JSONEq(t, string(want[family.String()]), body.Val, family)
			}
			assert.Equal(t, scope.InstanceFamilies(), order)
			assert.Len(t, order, len(want))
		})
	}
}

func TestIfaceList(t *testing.T) {
	p, err := orca.LoadProperties("../../testdata/slice/workers-0.properties")
	require.NoError(t, err)
	f, err := am.Generate(p)
	require.NoError(t, err)
	assert.Equal(t, "eth0.3017.fe:16:3e:00:26:c9 eth1.3018.fe:16:3e:00:10:00 ", f.IfaceList())
	assert.Empty(t, am.Families{}.IfaceList())
}

func TestGenerateUsers(t *testing.T) {
	f := generate(t, `
config.ssh.numlogins = 10, 2,,7,2,3,4,5,11,12
config.ssh.user10.login=carol
config.ssh.user10.sudo=Yes
config.ssh.user10.keys=\n`+keyA+` \r\n\n # of work\n `+keyB+`\n
config.ssh.user2.login=root
config.ssh.user2.sudo==no
config.ssh.user2.keys=`+keyA+`
config.ssh.user3.sudo=no
config.ssh.user3.keys=`+keyA+`
config.ssh.user4.login=dan
config.ssh.user4.keys=`+keyA+`
config.ssh.user5.login=erin
config.ssh.user5.sudo=no
config.ssh.user5.keys=${config.ssh.user5.keys}
config.ssh.user6.login=not-in-the-list
config.ssh.user6.sudo=no
config.ssh.user6.keys=`+keyA+`
config.ssh.user11.login=ROOT
config.ssh.user11.sudo=no
config.ssh.user11.keys=`+keyB+`\n`+keyA+`
config.ssh.user12.login=fay
config.ssh.user12.sudo=no
config.ssh.user12.keys=`+keyA+`"s\n`+keyB+`
`)
	assert.Equal(t, []scope.User{
		{Login: "root", Sudo: "no", Keys: scope.KeyText{keyA + ":" + keyB}},
		{Login: "carol", Sudo: "yes", Keys: scope.KeyText{keyA + ":" + keyB}},
		{Login: "fay", Sudo: "no", Keys: scope.KeyText{keyA + `"s`, keyB}},
	}, f.Users, "one login is one user; keys that could not be told apart are not joined")
}

func TestGenerateInterfaces(t *testing.T) {
	f := generate(t, `
unit.eth100000000000000000000.mac=00-00-00-00-00-09
unit.eth100000000000000000000.hosteth=eth9
unit.eth100000000000000000000.vlan.tag=9
unit.eth10.mac=FE:16:3E:00:10:00
unit.eth10.hosteth=eth1
unit.eth10.vlan.tag=3018
unit.eth10.state=User
unit.eth10.ipversion=IPv6
unit.eth10.ip=2001:db8::1/64
unit.eth9.mac=fe163e0026c9
unit.eth9.hosteth=eth0
unit.eth9.vlan.tag=3017
unit.eth9.ip=${unit.eth9.ip}
unit.eth1.mac=fe163e000001
unit.eth1.hosteth=eth0
unit.eth2.mac=fe163e000002
unit.eth2.vlan.tag=1
unit.eth3.hosteth=eth0
unit.eth3.vlan.tag=1
unit.eth4.mac=${unit.eth4.mac}
unit.eth4.hosteth=eth0
unit.eth4.vlan.tag=1
unit.ethernet.mac=fe163e000003
`)
	assert.Equal(t, []scope.Interface{
		{MAC: "fe163e0026c9", State: "up", IPVersion: "ipv4", HostEth: "eth0", VLANTag: "3017"},
		{MAC: "fe163e001000", State: "user", IPVersion: "ipv6", HostEth: "eth1", VLANTag: "3018", IP: "2001:db8::1/64"},
		{MAC: "000000000009", State: "up", IPVersion: "ipv4", HostEth: "eth9", VLANTag: "9"},
	}, f.Interfaces)
}

func TestGenerateStorage(t *testing.T) {
	f := generate(t, `
unit.storage12.type=iscsi
unit.storage12.target.ip=10.104.0.2
unit.storage12.target.port=3260
unit.storage12.target.chap_password= a:b 
unit.storage12.target.should_attach=Yes
unit.storage12.target.should_format==no
unit.storage12.target.mount_point=${x}
unit.storage3.target.ip=10.104.0.3
unit.storage5.type=nbd
unit.storage7.type=iscsi
unit.storage7.target.ip=10.104.0.3
unit.storage9.type=iscsi
unit.storage9.target.ip=2001:db8::9
unit.storage9.target.port=3261
unit.storage9.target.lun.num=4
`)
	assert.Equal(t, []scope.Storage{
		{Device: "dev3", Type: "iscsi", TargetIP: "2001:db8::9", TargetPort: "3261", TargetLUN: "4", ShouldAttach: "no", ShouldFormat: "no"},
		{Device: "dev4", Type: "iscsi", TargetIP: "10.104.0.2", TargetPort: "3260", TargetLUN: "0", ChapSecret: scope.Hide("a:b "), ShouldAttach: "yes",
			ShouldFormat: "no"},
	}, f.Storage)
}

func TestGenerateRoutesAndScripts(t *testing.T) {
	f := generate(t, `
unit.route10.network=10.0.0.0/8
unit.route10.nexthop=USER
unit.route2.network=2001:db8::/32
unit.route2.nexthop=2001:DB8::1
unit.route3.network=10.0.0.0/8
unit.route4.nexthop=10.0.0.1
unit.script10=ten
unit.script2=\ \t#!/bin/sh\r\n\n  two\n\n
unit.script3=${unit.script3}
unit.script4=
unit.scripts=no script
`)
	assert.Equal(t, []scope.Route{
		{Network: "2001:db8::/32", NextHop: "2001:db8::1"},
		{Network: "10.0.0.0/8", NextHop: "user"},
	}, f.Routes)
	assert.Equal(t, []scope.Script{
		{Name: "script_2", Body: scope.Hide(" \t#!/bin/sh\r\n\n  two\n\n")},
		{Name: "script_10", Body: scope.Hide("ten")},
	}, f.Scripts, "scripts are there without a boot script, byte for byte")
}

func TestGenerateNothing(t *testing.T) {
	for family, value := range generate(t, "unit.hostname=a\n").Values() {
		assert.JSONEq(t, `{"val_":"[]"}`, string(value), family)
	}
}

func TestGenerateErrors(t *testing.T) {
	const (
		eth   = "unit.eth2.hosteth=eth0\nunit.eth2.vlan.tag=1\nunit.eth2.mac=fe163e0026c9\n"
		store = "unit.storage1.type=iscsi\nunit.storage1.target.ip=10.0.0.1\nunit.storage1.target.port=3260\nunit.storage1.target.chap_password=hunter2\n"
		user  = "config.ssh.numlogins=1\nconfig.ssh.user1.login=root\nconfig.ssh.user1.sudo=no\nconfig.ssh.user1.keys=" + keyA + "\n"
		twice = "config.ssh.user2.login=Root\nconfig.ssh.user2.sudo=yes\nconfig.ssh.user2.keys=" + keyB + "\nconfig.ssh.numlogins=1,2\n"
	)
	tests := []struct{ name, text, want string }{
		{"logins", "config.ssh.numlogins=1,two\n", "line 1: config.ssh.numlogins: is not a list of numbers, separated by commas"},
		{"login", user + "config.ssh.user1.login=ro/ot\n", "line 5: config.ssh.user1.login: is not a login name"},
		{"sudo", user + "config.ssh.user1.sudo=maybe\n", "line 5: config.ssh.user1.sudo: is not one of yes, no"},
		{"mac", eth + "unit.eth2.mac=fe163e0026c\n", "line 4: unit.eth2.mac: is not 12 hex digits"},
		{"state", eth + "unit.eth2.state=on\n", "line 4: unit.eth2.state: is not one of up, down, user"},
		{"IP version", eth + "unit.eth2.ipversion=4\n", "line 4: unit.eth2.ipversion: is not one of ipv4, ipv6"},
		{"address", eth + "unit.eth2.ip=172.16.1.1\n", "line 4: unit.eth2.ip: is not an address with a prefix length, such as 172.16.1.10/24"},
		{"host's interface", eth + "unit.eth2.hosteth=eth0 eth1\n", "line 4: unit.eth2.hosteth: is not the name of an interface"},
		{"tag", eth + "unit.eth2.vlan.tag=1\\n2\n", "line 4: unit.eth2.vlan.tag: is not a VLAN tag (0 to 4094)"},
		{"mac of another", eth + strings.ReplaceAll(strings.ReplaceAll(eth, "eth2", "eth3"), "fe16", "FE:16"), "line 6: unit.eth3.mac: is that of unit.eth2.mac too"},
		{"key", user + "config.ssh.user1.keys=" + keyA + "\\nhunter2\n", "line 5: config.ssh.user1.keys: number 2 is not a public SSH key"},
		{"sudo of another", user + twice, "line 6: config.ssh.user2.sudo: is not what another user of that login has"},
		{"target", store + "unit.storage1.target.ip=host\n", "line 5: unit.storage1.target.ip: is not an IP address"},
		{"port", store + "unit.storage1.target.port=70000\n", "line 5: unit.storage1.target.port: is not a port (1 to 65535)"},
		{"lun", store + "unit.storage1.target.lun.num=x\n", "line 5: unit.storage1.target.lun.num: is not a number"},
		{"attach", store + "unit.storage1.target.should_attach=1\n", "line 5: unit.storage1.target.should_attach: is not one of yes, no"},
		{"format", store + "unit.storage1.target.should_format=1\n", "line 5: unit.storage1.target.should_format: is not one of yes, no"},
		{"mount point", store + "unit.storage1.target.mount_point=mnt\n", "line 5: unit.storage1.target.mount_point: is not a clean absolute path"},
		{"network", "unit.route7.nexthop=down\nunit.route7.network=10.0.0.0\n", "line 2: unit.route7.network: is not a network such as 172.16.2.0/24"},
		{"network of another", "unit.route7.nexthop=down\nunit.route7.network=10.0.0.0/8\nunit.route8.nexthop=down\nunit.route8.network=10.9.0.0/8\n",
			"line 4: unit.route8.network: is that of unit.route7.network too"},
		{"next hop", "unit.route7.nexthop=up\nunit.route7.network=10.0.0.0/8\n", "line 1: unit.route7.nexthop: is not an address, down or user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := orca.ParseProperties([]byte(tt.text))
			require.NoError(t, err)
			f, err := am.Generate(p)
			var at *orca.LineError
			require.ErrorAs(t, err, &at)
			assert.EqualError(t, err, tt.want)
			assert.Zero(t, f)
		})
	}
}

func TestFamiliesPrintNoSecret(t *testing.T) {
	f := generate(t, "unit.script1=hunter2\nunit.storage1.type=iscsi\nunit.storage1.target.ip=10.0.0.1\nunit.storage1.target.port=3260\n"+
		"unit.storage1.target.chap_password=hunter2\n")
	require.Len(t, f.Storage, 1)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v", f, f, f)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "families", f)
	assert.NotContains(t, out.String(), "hunter2")
	assert.Contains(t, out.String(), `"scripts":1`)
}

// FuzzGenerate: properties are elements that make sense, or there is one line that says what is wrong and where. Every ~ stands for a secret.
func FuzzGenerate(f *testing.F) {
	paths, err := filepath.Glob("../../testdata/slice/*.properties")
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte("unit.storage1.device=dev0\nunit.storage1.target.chap.secret=~\nunit.user1.login=~\nunit.user1.keys=~\nunit.route1.network=~\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := orca.ParseProperties([]byte(plant.In(string(data))))
		if err != nil {
			return
		}
		families, err := am.Generate(p)
		if err != nil {
			plant.RequirePlain(t, err)
			var at *orca.LineError
			require.ErrorAs(t, err, &at)
			require.NotEmpty(t, at.Field)
			require.Positive(t, at.Line)
			return
		}
		require.Len(t, strings.Fields(families.IfaceList()), len(families.Interfaces))
		for _, script := range families.Scripts {
			require.NoError(t, script.Validate())
		}
		for _, store := range families.Storage {
			require.NoError(t, store.Validate())
		}
		for _, user := range families.Users {
			require.NoError(t, scope.ValidateNew(user))
		}
	})
}

func generate(t *testing.T, text string) am.Families {
	t.Helper()
	p, err := orca.ParseProperties([]byte(text))
	require.NoError(t, err)
	f, err := am.Generate(p)
	require.NoError(t, err)
	return f
}

func ExampleGenerate() {
	p, err := orca.ParseProperties([]byte("unit.route1.network=172.16.2.0/24\nunit.route1.nexthop=172.16.1.1\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	families, err := am.Generate(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	for family, value := range families.Values() {
		fmt.Println(family, string(value))
	}
	// Output:
	// users {"val_":"[]"}
	// interfaces {"val_":"[]"}
	// storage {"val_":"[]"}
	// routes {"val_":"[{\"routeNetwork\":\"172.16.2.0/24\",\"routeNextHop\":\"172.16.1.1\"}]"}
	// scripts {"val_":"[]"}
}
