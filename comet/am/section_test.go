package am_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f alice@laptop"
	keyB = "ssh-rsa AAAAB3NzaC1yc2EAAAABAwAAABEAyMnKy8zNzs/Q0dLT1NXW1w== bob@host:22"
)

func TestParseElement(t *testing.T) {
	for name, tt := range map[string]struct {
		family     scope.Family
		key, value string
		want       scope.Element
	}{
		"user": {scope.FamilyUsers, "bob", "Yes:" + keyA + ":" + keyB + ":",
			scope.User{Login: "bob", Sudo: "yes", Keys: scope.KeyText{keyA, keyB}}},
		"interface": {scope.FamilyInterfaces, "FE:16:3E:00:26:CB", "up:ipv4:172.16.1.1/24",
			scope.Interface{MAC: "fe163e0026cb", State: "up", IPVersion: "ipv4", IP: "172.16.1.1/24"}},
		"interface without an address": {scope.FamilyInterfaces, "fe163e0026cb", "USER:IPv4",
			scope.Interface{MAC: "fe163e0026cb", State: "user", IPVersion: "ipv4"}},
		"interface with an unfilled address": {scope.FamilyInterfaces, "fe163e0026cb", "up:ipv4:${modify.3.ip}",
			scope.Interface{MAC: "fe163e0026cb", State: "up", IPVersion: "ipv4"}},
		"interface with IPv6": {scope.FamilyInterfaces, "fe163e0026cb", "up:ipv6:2001:db8::1/64",
			scope.Interface{MAC: "fe163e0026cb", State: "up", IPVersion: "ipv6", IP: "2001:db8::1/64"}},
		"storage": {scope.FamilyStorage, "dev.mod.3", "iscsi:10.104.0.2:3260:3:u: s :yes:ext4:-F -b 2048:=no:/mnt/target",
			scope.Storage{Device: "dev.mod.3", Type: "iscsi", TargetIP: "10.104.0.2", TargetPort: "3260", TargetLUN: "3", ChapUser: "u", ChapSecret: scope.Hide(" s "),
				ShouldAttach: "yes", FSType: "ext4", FSOptions: "-F -b 2048", ShouldFormat: "no", MountPoint: "/mnt/target"}},
		"storage, the least": {scope.FamilyStorage, "dev0", "iscsi:10.104.0.2:3260:${lun}:${user}:${secret}:",
			scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "10.104.0.2", TargetPort: "3260", TargetLUN: "0", ShouldAttach: "no", ShouldFormat: "no"}},
		"route": {scope.FamilyRoutes, "172.16.2.0/24", "172.16.1.1", scope.Route{Network: "172.16.2.0/24", NextHop: "172.16.1.1"}},
		"route with IPv6": {scope.FamilyRoutes, "2001:db8:1::/48", "2001:db8::1",
			scope.Route{Network: "2001:db8:1::/48", NextHop: "2001:db8::1"}},
		"script": {scope.FamilyScripts, "setup", "#!/bin/sh\necho a:b\n\n", scope.Script{Name: "setup", Body: scope.Hide("#!/bin/sh\necho a:b\n\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := am.ParseElement(tt.family, tt.key, tt.value)
			require.NoError(t, err)
			assert.Equal(t, tt.want, e)
		})
	}
}

func TestParseElementNamesWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		family           scope.Family
		key, value, want string
	}{
		{scope.FamilyUsers, "bo/b", "yes:" + keyA, `users "bo/b": user is not a login name`},
		{scope.FamilyUsers, "bob", "maybe:" + keyA, `users "bob": sudo is not one of yes, no`},
		{scope.FamilyUsers, "bob", "yes", `users "bob": the value is not SUDO:KEYS`},
		{scope.FamilyUsers, "bob", "yes:", `users "bob": key is missing`},
		{scope.FamilyUsers, "carol", "no:not a key, Planted", `users "carol": key number 1 is not a public SSH key`},
		{scope.FamilyUsers, "carol", "no:" + keyA + "\n-----BEGIN OPENSSH PRIVATE KEY-----\nPlanted", `users "carol": key number 2 is a private key`},
		{scope.FamilyInterfaces, "fe:16:3e:00:26:c", "up:ipv4", `interfaces "fe163e0026c": mac is not 12 hex digits`},
		{scope.FamilyInterfaces, "fe163e0026cb", "up:ipv4:172.16.1.1", `interfaces "fe163e0026cb": ip is not an address with a prefix length, such as 172.16.1.10/24`},
		{scope.FamilyInterfaces, "fe163e0026cb", "up", `interfaces "fe163e0026cb": the value is not STATE:IPVERSION[:CIDR]`},
		{scope.FamilyStorage, "dev0", "iscsi:10.104.0.2:70000:0:u:Planted:yes", `storage "dev0": targetPort is not a port (1 to 65535)`},
		{scope.FamilyStorage, "dev0", "iscsi:10.104.0.2:3260:0:u:Plan:ted:yes", `storage "dev0": targetShouldAttach is not one of yes, no`},
		{scope.FamilyStorage, "dev0", "iscsi:10.104.0.2:3260", `storage "dev0": the value has 3 fields, not 7 to 11`},
		{scope.FamilyStorage, "dev0", "iscsi:2001:db8::1:3260:0:u:Planted:yes:ext4::no:/m", `what has a colon in it is given by flags`},
		{scope.FamilyRoutes, "172.16.2.0", "172.16.1.1", `routes "172.16.2.0": routeNetwork is not a network such as 172.16.2.0/24`},
		{scope.FamilyRoutes, "172.16.2.0/24", "${modify.1.nexthop}", `routes "172.16.2.0/24": the value is not set`},
		{scope.FamilyStorage, "../dev0", "iscsi:10.104.0.2:3260:0:u:Planted:yes", `storage "../dev0": device cannot be a file's name`},
		{scope.FamilyScripts, "storage", "Planted", `scripts "storage": scriptName is one that deployed guests take for run already`},
		{scope.FamilyScripts, "../x", "Planted", `scripts "../x": scriptName cannot be a file's name`},
		{scope.FamilyScripts, "x", "", `scripts "x": scriptBody is missing`},
	} {
		_, err := am.ParseElement(tt.family, tt.key, tt.value)
		require.ErrorContains(t, err, tt.want)
		assert.NotContains(t, err.Error(), "Plan")
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestSections(t *testing.T) {
	family, ok, err := am.Section("routes")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, scope.FamilyRoutes, family)
	_, ok, err = am.Section("global")
	require.NoError(t, err)
	assert.False(t, ok)
	_, _, err = am.Section("hosts")
	require.EqualError(t, err, `section "hosts" does not exist; there are users, interfaces, storage, routes, scripts and global`)
}

// What is read is an element of its section that makes sense, or there is one line that says what is wrong, without the secret that
// every ~ of the value stands for.
func FuzzParseElement(f *testing.F) {
	for i, value := range []string{"yes:" + keyA, "up:ipv6:2001:db8::1/64", "iscsi:10.104.0.2:3260:3:u:~:yes:ext4:-F:=no:/mnt", "172.16.1.1", "#!/bin/sh\n~"} {
		f.Add(i, "bob", value)
		f.Add(i, "fe:16:3e:00:26:cb", value)
		f.Add(i, "172.16.2.0/24", value)
		f.Add(i, "dev0", "~:~:~:~:~:~:~:~:~:~:~")
	}
	f.Fuzz(func(t *testing.T, i int, key, value string) {
		families := scope.InstanceFamilies()
		family := families[uint(i)%uint(len(families))]
		e, err := am.ParseElement(family, key, plant.In(value))
		if err != nil {
			plant.RequireLine(t, err.Error())
			if !strings.Contains(key, plant.Secret) {
				plant.RequirePlain(t, err)
			}
			return
		}
		require.NoError(t, scope.ValidateNew(e))
		require.Equal(t, family.String(), e.Kind())
		require.NotEmpty(t, e.ElementKey())
	})
}
