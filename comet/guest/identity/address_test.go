package identity_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// address is the address that a VM publishes by a setting.
func address(t *testing.T, setting string, self identity.Identity) (string, error) {
	t.Helper()
	a, err := identity.ParseAddress(setting)
	require.NoError(t, err)
	again, err := identity.ParseAddress(a.String())
	require.NoError(t, err)
	require.Equal(t, a.String(), again.String())
	ip, err := a.Of(t.Context(), self)
	if err != nil {
		require.False(t, ip.IsValid())
		require.NotContains(t, err.Error(), "\n")
		return "", err
	}
	return ip.String(), nil
}

func TestAddressesThatMetadataKnows(t *testing.T) {
	both := identity.Identity{Public: addr("192.0.2.7"), Private: addr("10.0.0.7")}
	inside := identity.Identity{Private: addr("10.0.0.7")}
	none := identity.Identity{UserData: orca.UserData{CometHost: "https://127.0.0.1:8111/"}}
	for _, tt := range []struct {
		setting string
		self    identity.Identity
		want    string
		err     string
	}{
		{"", both, "192.0.2.7", ""},
		{"auto", both, "192.0.2.7", ""},
		{"public", both, "192.0.2.7", ""},
		{" private ", both, "10.0.0.7", ""},
		{"auto", inside, "10.0.0.7", ""},
		{"public", inside, "", "no public address is known of this VM: choose another"},
		{"private", none, "", "no private address is known of this VM: choose another"},
		{"auto", none, "", "no address towards the heads (127.0.0.1:8111: it is reached from an address that other VMs cannot use): choose one"},
		{"auto", identity.Identity{}, "", "no head towards which to look"},
		{"10.1.2.3", both, "10.1.2.3", ""},
		{"::ffff:10.1.2.3", both, "10.1.2.3", ""},
		{"2001:DB8::1", both, "2001:db8::1", ""},
		{"interface lo", both, "", "interface lo has no address by which other VMs could reach this one"},
		{"interface none0", both, "", "interface none0: no such network interface"},
	} {
		got, err := address(t, tt.setting, tt.self)
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err, tt.setting)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, tt.setting)
	}
}

func TestSettingsThatAreNoAddress(t *testing.T) {
	for setting, want := range map[string]string{
		"eth0":           `address "eth0": give auto, public, private, interface NAME, or an address such as 10.0.0.1`,
		"interface":      "give auto",
		"interface a b":  "give auto",
		"public private": "give auto",
		"10.0.0.1/24":    "give auto",
		"127.0.0.1":      "address 127.0.0.1 is none by which other VMs could reach this one",
		"::":             "address :: is none",
		"fe80::1%eth0":   "address fe80::1%eth0 is none",
		"2001:db8::1%a":  "is none",
		"ff02::1":        "is none",
		"169.254.1.1":    "is none",
	} {
		_, err := identity.ParseAddress(setting)
		require.ErrorContains(t, err, want, setting)
	}
}
