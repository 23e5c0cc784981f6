package scope_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

func TestPublicKeysOfAUser(t *testing.T) {
	const a, b = "ssh-ed25519 AAAAC3Nza1 bob@home", "ssh-rsa AAAAB3Nza2 bob@work"
	for name, c := range map[string]struct {
		stored scope.KeyText
		want   []string
	}{
		"one":                        {scope.KeyText{a}, []string{a}},
		"two strings":                {scope.KeyText{a, b}, []string{a, b}},
		"joined":                     {scope.KeyText{a + ":" + b}, []string{a, b}},
		"joined, colon at the end":   {scope.KeyText{a + ":" + b + ":"}, []string{a, b}},
		"lines":                      {scope.KeyText{a + "\n" + b + "\n"}, []string{a, b}},
		"colon in the comment":       {scope.KeyText{"ssh-rsa AAAA bob@host:22:" + b}, []string{"ssh-rsa AAAA bob@host:22", b}},
		"colons in quoted options":   {scope.KeyText{`from="2001:db8::1,10.0.0.1" ` + a + ":" + b}, []string{`from="2001:db8::1,10.0.0.1" ` + a, b}},
		"options of the second":      {scope.KeyText{a + `:no-pty,command="x y:z" ` + b}, []string{a, `no-pty,command="x y:z" ` + b}},
		"ecdsa and security keys":    {scope.KeyText{"ecdsa-sha2-nistp256 AAAA c:sk-ssh-ed25519@openssh.com AAAA d"}, []string{"ecdsa-sha2-nistp256 AAAA c", "sk-ssh-ed25519@openssh.com AAAA d"}},
		"nothing but what separates": {scope.KeyText{":", " "}, []string{":"}},
		"none":                       {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, scope.User{Keys: c.stored}.PublicKeys())
		})
	}
}

func TestElementsSayWhatIsWrong(t *testing.T) {
	user := scope.User{Login: "bob", Sudo: "yes"}
	iface := scope.Interface{MAC: "FE:16:3e:00:26:c9", State: "up", IPVersion: "ipv4", IP: "172.16.1.10/24"}
	disk := scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "10.0.0.1", TargetPort: "3260", TargetLUN: "0", ShouldAttach: "Yes", ShouldFormat: "no", MountPoint: "/mnt"}
	route := scope.Route{Network: "172.16.2.0/24", NextHop: "172.16.1.1"}
	script := scope.Script{Name: "bootscript", Body: scope.Hide("echo")}
	host := scope.Host{HostName: "workers/0", IP: "2001:db8::1"}
	for _, good := range []scope.Element{user, iface, disk, route, script, host, scope.PubKey{PublicKey: "ssh-rsa AAAA\n"}} {
		assert.NoError(t, good.Validate())
	}

	for says, bad := range map[string]scope.Element{
		"user is not a login name":                                          scope.User{Login: "../root", Sudo: "no"},
		"user is missing":                                                   scope.User{Sudo: "no"},
		"sudo is not one of yes, no":                                        scope.User{Login: "bob", Sudo: "ALL"},
		"mac is not 12 hex digits":                                          scope.Interface{MAC: "fe163e0026c", State: "up", IPVersion: "ipv4"},
		"state is not one of up, down, user":                                scope.Interface{MAC: "fe163e0026c9", State: "UP!", IPVersion: "ipv4"},
		"ipVersion is not one of ipv4, ipv6":                                scope.Interface{MAC: "fe163e0026c9", State: "up"},
		"ip is not an address with a prefix length, such as 172.16.1.10/24": scope.Interface{MAC: "fe163e0026c9", State: "up", IPVersion: "ipv4", IP: "172.16.1.10"},
		"ip is not of the version that ipVersion names":                     scope.Interface{MAC: "fe163e0026c9", State: "up", IPVersion: "ipv4", IP: "2001:db8::1/64"},
		"device cannot be a file's name":                                    scope.Storage{Device: "../../etc/cron.d/x", Type: "iscsi"},
		"device is missing":                                                 scope.Storage{},
		"storageType is not iscsi":                                          scope.Storage{Device: "dev0", Type: "nbd"},
		"targetIp is not an IP address":                                     scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "x"},
		"targetPort is not a port (1 to 65535)":                             scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "10.0.0.1", TargetPort: "70000"},
		"targetLun is not a number":                                         scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "10.0.0.1", TargetPort: "1"},
		"routeNetwork is not a network such as 172.16.2.0/24":               scope.Route{Network: "default"},
		"routeNextHop is not an address, down or user":                      scope.Route{Network: "172.16.2.0/24", NextHop: "x"},
		"routeNextHop is not of the same IP version as routeNetwork":        scope.Route{Network: "172.16.2.0/24", NextHop: "2001:db8::1"},
		"scriptName cannot be a file's name":                                scope.Script{Name: "../x", Body: scope.Hide("x")},
		"scriptBody is missing":                                             scope.Script{Name: "x"},
		"hostName is not a host name":                                       scope.Host{HostName: "a\n1.2.3.4 github.com"},
		"hostName is not a host name but looks like an address":             scope.Host{HostName: "10.0.0.1"},
		"hostName is missing":                                               scope.Host{},
		"ip is not an IP address":                                           scope.Host{HostName: "a", IP: "1.2.3"},
		"publicKey has more than one line":                                  scope.PubKey{PublicKey: "ssh-rsa AAAA\nssh-rsa BBBB"},
	} {
		assert.EqualError(t, bad.Validate(), says)
	}
}

// What deployed programs have written must not cost a VM the rest of the element, and is not to be written again.
func TestNewElementsAreHeldToMore(t *testing.T) {
	iface := func(change func(*scope.Interface)) scope.Interface {
		i := scope.Interface{MAC: "fe163e0026c9", State: "up", IPVersion: "ipv4", HostEth: "eth0.12", VLANTag: "4094"}
		change(&i)
		return i
	}
	route := scope.Route{Network: "172.16.2.0/24", NextHop: "172.16.1.1", Device: "eth1", Gateway: "172.16.1.1"}
	user := scope.User{Login: "bob", Sudo: "no", Keys: scope.KeyText{edKey + " bob@host:22:" + rsaKey}}
	for _, good := range []scope.Element{iface(func(*scope.Interface) {}), iface(func(i *scope.Interface) { i.HostEth, i.VLANTag = "", "" }), route,
		user, scope.User{Login: "bob", Sudo: "no"}, scope.Script{Name: "storages", Body: scope.Hide("x")}, scope.Host{HostName: "a"}} {
		assert.NoError(t, scope.ValidateNew(good))
	}
	for says, bad := range map[string]scope.Element{
		"vlanTag is not a VLAN tag (0 to 4094)":                       iface(func(i *scope.Interface) { i.VLANTag = "5000" }),
		"vlanTag is not a VLAN tag (0 to 4094) ":                      iface(func(i *scope.Interface) { i.VLANTag = "abc" }),
		"hosteth is not the name of an interface":                     iface(func(i *scope.Interface) { i.HostEth = "a b" }),
		"device is not the name of an interface":                      scope.Route{Network: "10.0.0.0/8", NextHop: "user", Device: "../x"},
		"gateway is not an address":                                   scope.Route{Network: "10.0.0.0/8", NextHop: "user", Gateway: "10.0.0.999"},
		"scriptName is one that deployed guests take for run already": scope.Script{Name: "storage", Body: scope.Hide("x")},
		"key number 2 is not a public SSH key":                        scope.User{Login: "bob", Sudo: "no", Keys: scope.KeyText{edKey, "not a key"}},
		"key number 1 is a private key, which stays where it was made; its public key is in the file beside it that ends in .pub": scope.User{Login: "bob", Sudo: "no", Keys: scope.KeyText{"-----BEGIN OPENSSH PRIVATE KEY-----\nplanted\n"}},
	} {
		assert.NoError(t, bad.Validate(), "readers live with it")
		assert.EqualError(t, scope.ValidateNew(bad), strings.TrimSpace(says))
	}
	assert.EqualError(t, scope.ValidateNew(scope.Script{}), "scriptName is missing")
}

func TestSwitchesOfStorageAsTheyAreFound(t *testing.T) {
	disk := func(attach, format string) scope.Storage {
		return scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "10.0.0.1", TargetPort: "3260", TargetLUN: "0", ShouldAttach: attach, ShouldFormat: format}
	}
	for _, on := range []string{"yes", "Yes", "YES", "=yes", "true", "True"} {
		assert.NoError(t, disk(on, on).Validate(), on)
		assert.True(t, disk(on, "").MayAttach() && disk(on, on).MayFormat(), on)
		assert.Equal(t, strings.EqualFold(on, "yes"), scope.ValidateNew(disk(on, on)) == nil, on)
	}
	for _, off := range []string{"no", "No", "=no", "=No", "false", "FALSE"} {
		assert.NoError(t, disk(off, off).Validate(), off)
		assert.False(t, disk(off, "").MayAttach() || disk("yes", off).MayFormat(), off)
	}
	assert.NoError(t, scope.ValidateNew(disk("no", "")))
	assert.False(t, disk("yes", "").MayFormat())
	for _, bad := range []scope.Storage{disk("yes", "force"), disk("yes", "y"), disk("perhaps", "no"), disk("", "no")} {
		assert.ErrorContains(t, bad.Validate(), "is not one of yes, no")
		assert.False(t, bad.MayFormat())
	}
	assert.NoError(t, scope.User{Login: "bob", Sudo: "Yes"}.Validate())
}

const (
	edKey  = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	rsaKey = "ssh-rsa AAAAB3NzaC1yc2EAAAABAwAAABEAyMnKy8zNzs/Q0dLT1NXW1w=="
)

func TestValidPublicKey(t *testing.T) {
	for _, good := range []string{edKey, rsaKey + " a comment: with colons", "  " + edKey, `from="2001:db8::1",command="say \"a b\"" ` + edKey + " bob", "restrict\t" + rsaKey} {
		assert.NoError(t, scope.ValidPublicKey(good), good)
	}
	for _, bad := range []string{"", "k", "ssh-ed25519", "ssh-ed25519 planted", "root:x:0:0:planted:/root:/bin/sh", edKey[:len(edKey)-4], edKey + "AAAA",
		strings.Replace(edKey, "ssh-ed25519 ", "ssh-rsa ", 1), "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "ssh-ed25519 //////////8=", edKey + " bob\nroot"} {
		err := scope.ValidPublicKey(bad)
		require.EqualError(t, err, "is not a public SSH key", bad)
	}
	for _, private := range []string{"-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN OPENSSH PRIVATE KEY-----\nplanted", "PuTTY-User-Key-File-3: ssh-ed25519"} {
		assert.ErrorContains(t, scope.ValidPublicKey(private), "is a private key")
	}
}

// Every address in a network stands for the route to it.
func TestRoutesToOneNetworkHaveOneKey(t *testing.T) {
	for text, key := range map[string]string{
		"172.16.2.0/24": "172.16.2.0/24", "172.16.2.9/24": "172.16.2.0/24", " 172.16.2.0/24 ": "172.16.2.0/24", "2001:DB8::1/32": "2001:db8::/32",
		"2001:db8:0::/32": "2001:db8::/32", "default": "default",
	} {
		assert.Equal(t, key, scope.Route{Network: text}.ElementKey())
	}
	l, err := scope.ParseList([]byte(`{"val_":"[{\"routeNetwork\":\"172.16.2.9/24\",\"routeNextHop\":\"user\"}]"}`))
	require.NoError(t, err)
	require.True(t, scope.Remove[scope.Route](l, "172.16.2.0/24"))
}

func TestElementsAreFoundByTheirKey(t *testing.T) {
	assert.Equal(t, "fe163e0026c9", scope.Interface{MAC: "FE:16:3E:00:26:C9"}.ElementKey())
	assert.Equal(t, "bob", scope.User{Login: "Bob"}.ElementKey())
	assert.Equal(t, "workers-0", scope.Host{HostName: "workers/0"}.ElementKey())
	assert.Equal(t, "ssh-rsa A", scope.PubKey{PublicKey: "ssh-rsa A\n"}.ElementKey())
}
