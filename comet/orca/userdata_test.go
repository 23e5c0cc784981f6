package orca_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

func TestUserDataRoundTrip(t *testing.T) {
	for _, file := range fixtures(t, "../../testdata/slice/*.userdata.ini") {
		u, err := orca.ParseUserData(file.data)
		require.NoError(t, err, file.path)
		data, err := u.INI()
		require.NoError(t, err, file.path)
		assert.Equal(t, string(file.data), string(data), file.path)
	}
}

func TestLoadUserData(t *testing.T) {
	u, err := orca.LoadUserData("../../testdata/slice/master.userdata.ini")
	require.NoError(t, err)
	assert.Equal(t, "6d3de7cc-7188-49b2-af48-f21497450d84", u.SliceID.String())
	assert.Equal(t, "ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7", u.ReservationID.String())
	assert.Equal(t, "master", u.HostName)
	assert.Equal(t, "true", u.Router)
	assert.Equal(t, "iqn.2012-02.net.exogeni:ed3b1f0c-5a70-4a83-8f9c-6f2d8b6ad0b7", u.InitiatorIQN)
	assert.Equal(t, "https://18.224.135.20:8111/,https://18.221.238.74:8111/", u.CometHost)
	assert.Equal(t, scope.MustToken("unitRead2Xa7Qe"), u.ReadToken)
	assert.Equal(t, orca.SliceAccess{
		Tokens:    scope.Tokens{Read: scope.MustToken("sliceReadK3mZ9q"), Write: scope.MustToken("sliceWrite2Pd4Rt")},
		HostsRead: []string{"all"}, HostsWrite: []string{"all"}, PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"},
	}, u.Slice)
	assert.Empty(t, u.PhysicalHost)
}

func TestUserDataForms(t *testing.T) {
	u, err := orca.ParseUserData([]byte("[GLOBAL]\nHost_Name: workers/0 ; a node group\nrouter=Not Specified\nslice_id=${unit.sliceid}\n" +
		"cometreadtoken=${x}\ncomethostsgroupread=Not Specified\ncometpubkeysgroupread=a, b,,a\n" +
		"cometcacert=\n AQID\n BAUG\ncometservername=*.exogeni.net\nsomething=else\n"))
	require.NoError(t, err)
	assert.Equal(t, "workers-0", u.HostName)
	assert.Empty(t, u.Router)
	assert.True(t, u.SliceID.IsZero())
	assert.True(t, u.ReadToken.IsZero())
	assert.Nil(t, u.Slice.HostsRead)
	assert.Equal(t, []string{"a", "b"}, u.Slice.PubKeysRead)
	assert.Equal(t, []byte{1, 2, 3, 4, 5, 6}, u.CACert)
	assert.Equal(t, "*.exogeni.net", u.ServerName)

	data, err := u.INI()
	require.NoError(t, err)
	assert.Contains(t, string(data), "host_name=workers-0\n")
	assert.Contains(t, string(data), ";router= Not Specified\n")
	assert.Contains(t, string(data), "cometpubkeysgroupread=a,b\ncometcacert=AQIDBAUG\ncometservername=*.exogeni.net\nsomething=else\n")
	assert.NotContains(t, string(data), "cometreadtoken")
}

func TestUserDataErrors(t *testing.T) {
	tests := []struct {
		name, text, want string
	}{
		{"empty", "", "user data has no section [global]"},
		{"other sections", "[users]\nroot=no:hunter2\n", "line 1: [users] is not a section that says who the VM is; user data has no [global]"},
		{"cloud-config", "#cloud-config\nusers: hunter2\n", "line 2: stands before the first [section]; this is no ini file"},
		{"shell script", "#!/bin/sh\n\nhunter2\n", "line 3: stands before the first [section]; this is no ini file"},
		{"compressed", "\x1f\x8b\x08\x00hunter2", "line 1: has a zero byte; this is no text file"},
		{"no form", "[global]\nhunter2\n", "line 2: is no [section], no key=value and continues none"},
		{"token", "[global]\na=b\n\ncometreadtoken=hunter2\n more\n", "line 4: cometreadtoken: has a control character (U+000A)"},
		{"token too long", "[global]\nslicecometwritetoken=" + strings.Repeat("hunter2", 200), "line 2: slicecometwritetoken: is longer than 1024 bytes"},
		{"slice", "[global]\nslice_id=hunter2\x01\n", "line 2: slice_id: has a control character (U+0001)"},
		{"CA", "[global]\ncometcacert=hunter2!\n", "line 2: cometcacert: is not base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := orca.ParseUserData([]byte(tt.text))
			var at *orca.LineError
			require.ErrorAs(t, err, &at)
			assert.EqualError(t, err, tt.want)
		})
	}
}

// What is meant for others stands where user data does; what is meant for us may be wrong.
func TestIsUserData(t *testing.T) {
	for text, want := range map[string]bool{
		"[global]\n": true,
		"[Global] x": true,
		"\ufeff# of this VM\n\n[users]\nroot=no:key\n[GLOBAL]\nslice_id=\x01\nhunter2\n": true,
		"":                       false,
		"[users]\nroot=no:key\n": false,
		"#cloud-config\nwrite_files:\n- content: |\n    [global]\n    a=b\n": false,
		"#!/bin/sh\ncat <<E\n[global]\nE\n":                                  false,
		"[unit]\nhunter2\n[global]\n":                                        false,
		"[global]\x00":                                                       false,
	} {
		assert.Equal(t, want, orca.IsUserData([]byte(text)), "%q", text)
	}
}

func TestUserDataThatNoFileCanHold(t *testing.T) {
	tests := map[string]orca.UserData{
		"slice_name":     {Identity: orca.Identity{SliceName: "two ;words"}},
		"unit_url":       {Identity: orca.Identity{UnitURL: " blank"}},
		"nova_id":        {Identity: orca.Identity{NovaID: "${x}"}},
		"actor_id":       {Identity: orca.Identity{ActorID: "a\n\nb"}},
		"unit_id":        {Identity: orca.Identity{UnitID: `""`}},
		"router":         {Identity: orca.Identity{Router: "Not Specified"}},
		"comethost":      {CometHost: "h\x00"},
		"cometreadtoken": {ReadToken: scope.MustToken("hunter2 ;x")},
	}
	for name, u := range tests {
		data, err := u.INI()
		require.EqualError(t, err, name+": cannot be written to user data: it would be read back as something else")
		assert.Nil(t, data)
	}
	multi := orca.UserData{Identity: orca.Identity{SliceName: "a\nb"}}
	data, err := multi.INI()
	require.NoError(t, err)
	again, err := orca.ParseUserData(data)
	require.NoError(t, err)
	assert.Equal(t, "a\nb", again.SliceName)
}

func TestUserDataPrintsNoSecret(t *testing.T) {
	u, err := orca.ParseUserData([]byte("[global]\ncometreadtoken=hunter2a\nslicecometreadtoken=hunter2b\nother=hunter2c\n[scripts]\nboot=hunter2d\n"))
	require.NoError(t, err)
	type holder struct{ u orca.UserData }
	p, err := orca.ParseProperties([]byte("a=hunter2\n"))
	require.NoError(t, err)
	type holderOfProperties struct{ p orca.Properties }

	var out bytes.Buffer
	for _, v := range []any{u, &u, holder{u}, u.Section("scripts"), u.Section("scripts")[0], u.Slice.Properties(), p, &p, holderOfProperties{p}} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "u", u, "p", p, "kv", u.Section("scripts")[0])
	asJSON, err := json.Marshal(u)
	require.NoError(t, err)
	out.Write(asJSON)
	assert.NotContains(t, out.String(), "hunter2")
	assert.Contains(t, out.String(), "[redacted]")
}

func TestParseMetadata(t *testing.T) {
	for _, file := range fixtures(t, "../../testdata/chameleon/*.json") {
		u, err := orca.ParseMetadata(file.data)
		require.NoError(t, err)
		sliceID, err := scope.ParseContextID("2bb5f982-60e8-4e3e-bf9f-08619698127a")
		require.NoError(t, err)
		rid, err := scope.ParseKey("2c93dae4-9fb6-4d2e-bae0-b404aa06e399")
		require.NoError(t, err)
		assert.Equal(t, orca.UserData{
			Identity:  orca.Identity{SliceID: sliceID, ReservationID: rid, HostName: "kthare10.novalocal"},
			CometHost: "https://13.59.255.221:8111/,https://18.218.34.48:8111/",
			Slice: orca.SliceAccess{
				Tokens:    scope.Tokens{Read: scope.MustToken("2bb5f982Ra"), Write: scope.MustToken("2bb5f981Wb")},
				HostsRead: []string{"all"}, HostsWrite: []string{"all"}, PubKeysRead: []string{"all"}, PubKeysWrite: []string{"all"},
			},
		}, u)
	}
}

func TestParseMetadataErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "line 1: is not valid JSON",
		"{\n\n\"meta\": hunter2}":     "line 3: is not valid JSON",
		`[]`:                          "line 1: is JSON of the wrong kind: array",
		"{\"a\":1,\n\"hostname\":77}": "line 2: hostname: is JSON of the wrong kind: number",
		`{"hostname":"hunter2"}`:      "meta: is missing; this is no instance's metadata",
		`{"meta":{"slicecometreadtoken":["hunter2"]}}`:       "meta.slicecometreadtoken: is not text",
		`{"meta":{"slicecometreadtoken":"hunter2\u0007"}}`:   "meta.slicecometreadtoken: has a control character (U+0007)",
		`{"meta":{"cometcacert":"hunter2","something":[1]}}`: "meta.cometcacert: is not base64",
	} {
		_, err := orca.ParseMetadata([]byte(text))
		var at *orca.LineError
		require.ErrorAs(t, err, &at)
		assert.EqualError(t, err, want)
	}
}

func TestIsMetadata(t *testing.T) {
	for text, want := range map[string]bool{
		`{"meta":{"slice_id":"a"}}`:                 true,
		`{"hostname":7,"meta":{"CometHost":[1]}}`:   true,
		`{"meta":{"router":"true"},"slice_id":"a"}`: false,
		`{"meta":{}}`:                        false,
		`{"meta":null}`:                      false,
		`{"meta":"slice_id"}`:                false,
		`["slice_id"]`:                       false,
		`{"meta":{"slice_id":"a"}} and more`: false,
		"<html><body>slice_id comethost</body></html>": false,
		"": false,
	} {
		assert.Equal(t, want, orca.IsMetadata([]byte(text)), text)
	}
}

// FuzzParseUserData: user data is fields and sections that are read as they are written, or refused in one line. Every ~ stands for a secret.
func FuzzParseUserData(f *testing.F) {
	for _, pattern := range []string{"../../testdata/slice/*.ini", "testdata/ini/*.ini"} {
		for _, file := range fixtures(f, pattern) {
			f.Add(withGlobal(file.data))
		}
	}
	f.Add([]byte("[global]\nslicecometreadtoken = ~\x07\nslicecometwritetoken\n~ = ~\n[~\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = []byte(plant.In(string(data)))
		u, err := orca.ParseUserData(data)
		if err != nil && strings.Contains(err.Error(), " is not a section that") { // it names the section, which is no secret
			plant.RequireLine(t, err.Error())
			return
		}
		if err != nil {
			requirePlain(t, err)
			return
		}
		require.True(t, orca.IsUserData(data))
		written, err := u.INI()
		require.NoError(t, err)
		again, err := orca.ParseUserData(written)
		require.NoError(t, err)
		require.Equal(t, fields(u), fields(again))
		for _, name := range []string{"users", "scripts", "a", "x"} {
			require.Equal(t, withoutLines(u.Section(name)), withoutLines(again.Section(name)))
		}
		rewritten, err := again.INI()
		require.NoError(t, err)
		require.Equal(t, string(written), string(rewritten))
	})
}

// FuzzParseMetadata: metadata is the fields that it is as user data, or refused in one line. Every ~ stands for a secret.
func FuzzParseMetadata(f *testing.F) {
	for _, file := range fixtures(f, "../../testdata/chameleon/*.json") {
		f.Add(file.data)
	}
	f.Add([]byte(`{"meta":{"slice_id":"s","slicecometreadtoken":"~\n","slicecometwritetoken":["~"],"~":7}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := orca.ParseMetadata([]byte(plant.In(string(data))))
		if err != nil {
			requirePlain(t, err)
			return
		}
		written, err := u.INI()
		if err != nil { // metadata can hold what an ini file cannot
			plant.RequirePlain(t, err)
			return
		}
		again, err := orca.ParseUserData(written)
		require.NoError(t, err)
		require.Equal(t, fields(u), fields(again))
	})
}

// fields is user data without what was read beside the fields.
func fields(u orca.UserData) orca.UserData {
	return orca.UserData{Identity: u.Identity, CometHost: u.CometHost, ReadToken: u.ReadToken, Slice: u.Slice, CACert: u.CACert,
		ServerName: u.ServerName}
}

func withoutLines(list []orca.KeyValue) []orca.KeyValue {
	for i := range list {
		list[i].Line = 0
	}
	return list
}

func ExampleUserData_INI() {
	u := orca.UserData{CometHost: "https://comet.example.net:8111/", ServerName: "comet.example.net"}
	u.HostName = "workers/0"
	data, err := u.INI()
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, ";") {
			fmt.Print(line)
		}
	}
	// Output:
	// [global]
	// host_name=workers-0
	// comethost=https://comet.example.net:8111/
	// cometservername=comet.example.net
}
