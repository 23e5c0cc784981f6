package scope_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

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

func TestElementsAreFoundByTheirKey(t *testing.T) {
	assert.Equal(t, "fe163e0026c9", scope.Interface{MAC: "FE:16:3E:00:26:C9"}.ElementKey())
	assert.Equal(t, "bob", scope.User{Login: "Bob"}.ElementKey())
	assert.Equal(t, "workers-0", scope.Host{HostName: "workers/0"}.ElementKey())
	assert.Equal(t, "ssh-rsa A", scope.PubKey{PublicKey: "ssh-rsa A\n"}.ElementKey())
}
