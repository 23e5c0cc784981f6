package scope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzDecode: a value is elements that are the same when they are written again, or an error of one line that quotes nothing of it.
// Every ~ stands for a secret.
func FuzzDecode(f *testing.F) {
	for i, element := range []string{
		`{"user":"bob","sudo":"no","key":["ssh-rsa AAAA~ a"]}`, `{"mac":"fe:16:3e:00:26:cb","state":"up","ipVersion":"ipv4","ip":"10.0.0.1/24"}`,
		`{"device":"dev0","type":"iscsi","targetIp":"10.0.0.1","targetPort":"3260","targetChapSecret":"~"}`, `{"routeNetwork":"0.0.0.0/0","routeNextHop":"10.0.0.1"}`,
		`{"scriptName":"a","scriptBody":"#!/bin/sh\n~"}`, `{"hostName":"workers/0","ip":"152.54.14.31"}`, `{"publicKey":"ssh-rsa AAAA~ a","privateKey":"~"}`,
	} {
		f.Add(i, fmt.Sprintf(`{"val_":%q}`, "["+element+"]"))
		f.Add(i, `{"val_":[`+element+`,`+strings.ReplaceAll(element, `"~"`, `{"~":["~"]}`)+`]}`)
		f.Add(i, `{"val_":"[{\"user\":~}]"}`)
	}
	kinds := []func(*testing.T, []byte){decode[scope.User], decode[scope.Interface], decode[scope.Storage], decode[scope.Route], decode[scope.Script], decode[scope.Host], decode[scope.PubKey]}
	f.Fuzz(func(t *testing.T, kind int, body string) {
		kinds[uint(kind)%uint(len(kinds))](t, []byte(plant.In(body)))
	})
}

func decode[E scope.Element](t *testing.T, body []byte) {
	elements, err := scope.Decode[E](body)
	if err != nil {
		plant.RequirePlain(t, err)
		return
	}
	for _, e := range elements {
		if err := e.Validate(); err != nil {
			plant.RequirePlain(t, err)
		}
	}
	again, err := scope.Decode[E](scope.Encode(elements...))
	require.NoError(t, err)
	require.Equal(t, elements, again)
}

// FuzzNames: what is a name or a token comes out as it went in, a token by Reveal alone; what is none is refused without being quoted.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "hostsall", "pubkeys", "a\x00", "\xff", "é", "\u0085", strings.Repeat("x", 1025), "Secret-Token-1", "a,b , Not Specified,a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := scope.NewName(s, s, s)
		token, tokenErr := scope.ParseToken(s)
		require.Equal(t, err == nil, tokenErr == nil)
		if err != nil {
			require.True(t, len(err.Error()) < 100 && len(tokenErr.Error()) < 100)
			plant.RequirePlain(t, err)
			return
		}
		require.Equal(t, s+"/"+s+"/"+s, n.String())
		require.Equal(t, s, n.Family.Kind()+n.Family.Group())
		require.Equal(t, s, token.Reveal())
		require.Equal(t, "[redacted] [redacted] [redacted] [redacted]", fmt.Sprintf("%v %+v %#v %q", token, token, token, token))
		groups := scope.ParseGroups(s)
		require.Equal(t, groups, scope.ParseGroups(strings.Join(groups, ",")))
	})
}
