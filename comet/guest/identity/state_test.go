package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// everyKind is one identity of each kind.
func everyKind(t testing.TB) map[string]identity.Identity {
	return map[string]identity.Identity{
		"ini":           found(t, ec2.and(documents{userData: ini(t)}).cloud(t)),
		"without heads": found(t, inFile(t, "[global]\nunit_id=u\n[scripts]\nboot=#!/bin/sh\n\techo hunter2\n[users]\nr\xf6ot=no:key\n")),
		"OpenStack":     found(t, ec2.and(documents{osMetadata: metadata(t)}).cloud(t)),
		"no ini for it": found(t, inFile(t, `{"uuid":"u","meta":{"slice_id":"a ;b","slicecometreadtoken":"hunter2 ;c"}}`)),
		"flags":         found(t, identity.Given{UserData: given()}),
	}
}

func TestIdentitiesAreKept(t *testing.T) {
	for name, self := range everyKind(t) {
		t.Run(name, func(t *testing.T) {
			kept, err := identity.Parse(self.Marshal())
			require.NoError(t, err)
			assert.Equal(t, self.Marshal(), kept.Marshal())
			if name == "flags" { // they are no ini file; what is kept of them is
				assert.Equal(t, self.UserData.Identity, kept.UserData.Identity)
				assert.Equal(t, self.UserData.Slice, kept.UserData.Slice)
				return
			}
			assert.Equal(t, self, kept)
		})
	}
}

func TestWhatIsKeptMayBeDamaged(t *testing.T) {
	good := string(found(t, inFile(t, ini(t))).Marshal())
	for text, want := range map[string]string{
		"":         "kept identity: it is damaged: remove the file",
		good[:300]: "kept identity: it is damaged",
		good + "{": "kept identity: it is damaged",
		"[]":       "kept identity: it is damaged",
		"{}":       "kept identity: it has version 0, and only 1 is known here",
		swap(t, good, `"version":1`, `"version":2`):            "kept identity: it has version 2",
		swap(t, good, iniKey, "../etc"):                        "kept identity: instanceId: it names no folder",
		swap(t, good, iniKey, ""):                              "kept identity: instanceId: it names no folder",
		swap(t, good, `"public":""`, `"public":"hunter2"`):     "kept identity: it is damaged",
		`{"version":1,"instanceId":"a","text":"aHVudGVyMg=="}`: "kept identity: text: nothing for this VM",
	} {
		_, err := identity.Parse([]byte(text))
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func swap(t *testing.T, text, old, new string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, new, 1)
}

func TestIdentitiesPrintNoSecret(t *testing.T) {
	var out bytes.Buffer
	for name, self := range everyKind(t) {
		type holder struct{ i identity.Identity }
		for _, v := range []any{self, &self, holder{self}, []identity.Identity{self}} {
			fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
			slog.New(slog.NewTextHandler(&out, nil)).Info(name, "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info(name, "v", v)
		}
		text, err := json.Marshal(self)
		require.NoError(t, err)
		out.Write(text)
	}
	for _, secret := range []string{"hunter2", "sliceReadK3mZ9q", "sliceWrite0Pd4Rt", "unitRead0Xa7Qe", "2bb5f982Ra", "2bb5f981Wb"} {
		assert.NotContains(t, out.String(), secret)
	}
}

// An ID names a folder whatever it is, and two IDs name two.
func FuzzInstanceIDs(f *testing.F) {
	for _, id := range []string{"i-0abc", uuid, "..", ".", "-.", "a/b", "a-b", "", strings.Repeat("ä", 200), "\x00", "unnamed"} {
		f.Add(id, "i-1")
		f.Add("../"+id, id)
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		folder := func(id string) string {
			return found(t, source{"cloud", func(context.Context) (identity.Identity, error) {
				return identity.Identity{InstanceID: id}, nil
			}}).InstanceID
		}
		require.Regexp(t, `^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`, folder(one))
		require.Equal(t, folder(one), folder(folder(one)))
		if one != other && one != "" && other != "" && one != folder(other) && other != folder(one) {
			require.NotEqual(t, folder(one), folder(other))
		}
	})
}

// FuzzParse: what is kept is an identity that is kept as it is, or refused in one line without a word of it. Every ~ stands for a secret.
func FuzzParse(f *testing.F) {
	for _, self := range everyKind(f) {
		f.Add(self.Marshal())
	}
	f.Add([]byte(`{"version":1,"instanceId":"a","text":"H4sIAAAA"}`))
	f.Add([]byte(`{"version":1,"instanceId":"~","text":"~","~":["~"]}~`))
	f.Fuzz(func(t *testing.T, data []byte) {
		self, err := identity.Parse([]byte(plant.In(string(data))))
		if err != nil {
			plant.RequirePlain(t, err)
			return
		}
		again, err := identity.Parse(self.Marshal())
		require.NoError(t, err)
		require.Equal(t, self, again)
	})
}
