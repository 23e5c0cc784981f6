package scope_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

func TestNames(t *testing.T) {
	n, err := scope.NewName("6d3de7cc", "hostsall", "workers/0")
	require.NoError(t, err)
	assert.Equal(t, "6d3de7cc/hostsall/workers/0", n.String())
	assert.Equal(t, n, scope.MustName("6d3de7cc", "hostsall", "workers/0"))
	assert.False(t, n.IsZero())
	assert.True(t, scope.Name{}.IsZero())

	long := strings.Repeat("x", scope.MaxNameLen)
	for _, c := range []struct{ context, family, key, says string }{
		{"", "f", "k", "context is empty"},
		{"c", "", "k", "family is empty"},
		{"c", "f", "", "key is empty"},
		{"c\n", "f", "k", "context has a control character (U+000A)"},
		{"c", "f\x7f", "k", "family has a control character (U+007F)"},
		{"c", "f", "\xff", "key is not valid UTF-8"},
		{"c", "f", long + "x", "key is longer than 1024 bytes"},
	} {
		_, err := scope.NewName(c.context, c.family, c.key)
		assert.EqualError(t, err, c.says)
	}
	_, err = scope.NewName(long, long, long)
	assert.NoError(t, err)
}

func TestNamesTravelAsText(t *testing.T) {
	var k scope.Key
	require.NoError(t, k.UnmarshalText([]byte("workers/0")))
	text, err := k.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "workers/0", string(text))
	assert.Error(t, k.UnmarshalText([]byte("a\nb")))
	assert.Equal(t, "workers/0", k.String(), "a failed reading changes nothing")
}

func TestFamiliesAndGroups(t *testing.T) {
	for family, want := range map[string][2]string{
		"hostsall":   {"hosts", "all"},
		"pubkeysall": {"pubkeys", "all"},
		"tokensall":  {"tokens", "all"},
		"hosts":      {"hosts", ""},
		"users":      {"users", ""},
		"usersall":   {"usersall", ""},
		"anything":   {"anything", ""},
	} {
		kind, group := scope.MustFamily(family).Split()
		assert.Equal(t, want, [2]string{kind, group}, family)
	}
	f, err := scope.HostsOf("all")
	require.NoError(t, err)
	assert.Equal(t, scope.MustFamily("hostsall"), f)
	assert.Equal(t, "scripts", scope.InstanceFamilies()[4].String(), "scripts come last")
	assert.Equal(t, []string{"a", "b c"}, scope.ParseGroups(" a,,b c , a"))
	assert.Empty(t, scope.ParseGroups("Not Specified"))
	assert.Empty(t, scope.ParseGroups(""))
}
