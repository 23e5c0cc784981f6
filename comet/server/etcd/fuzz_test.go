package etcd_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server/etcd"
)

// FuzzCheckURL: a store's place is taken, or refused in one line that quotes no password.
func FuzzCheckURL(f *testing.F) {
	for _, url := range []string{"etcd://h1:2379,h2,[::1]/comet", "etcd://user:~@h/comet", "etcd://h/~@", "etcd:///", "etcd://h/a//b", "etcd://h/entries", "etcd://h:0/a", "http://~"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		err := etcd.CheckURL(strings.ReplaceAll(url, "~", "Planted-Password-1"))
		if err != nil {
			require.ErrorIs(t, err, etcd.ErrURL)
			require.NotContains(t, err.Error(), "Planted")
			require.False(t, strings.ContainsFunc(err.Error(), unicode.IsControl), "%q", err.Error())
			return
		}
		require.NotContains(t, url, "@")
	})
}
