package orca_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

func TestInputFilesOfThePythonClient(t *testing.T) {
	files, err := filepath.Glob("../../testdata/client/*.json")
	require.NoError(t, err)
	require.Len(t, files, 2)
	values := map[string]string{
		"hostsall":   `{"val_":"[{\"hostName\":\"kthare10.novalocal\",\"ip\":\"\"}]"}`,
		"pubkeysall": `{"val_":"[{\"publicKey\":\"\"}]"}`,
	}
	for _, file := range files {
		in, err := orca.LoadClientInput(file)
		require.NoError(t, err)
		assert.Equal(t, "2bb5f982-60e8-4e3e-bf9f-08619698127a", in.Name.Context.String())
		assert.Equal(t, "2c93dae4-9fb6-4d2e-bae0-b404aa06e399", in.Name.Key.String())
		assert.Equal(t, scope.Tokens{Read: scope.MustToken("2bb5f982Ra"), Write: scope.MustToken("2bb5f981Wb")}, in.Tokens)
		assert.Equal(t, values[in.Name.Family.String()], in.Value.Reveal())
		assert.Equal(t, []string{"/etc/comet/ca.crt", "/etc/comet/client.pem", "/etc/comet/client.key"}, []string{in.CACert, in.Cert, in.CertKey})
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", in, in, in), "2bb5f982Ra")
	}
}

func TestInputFilesThatMakeNoSense(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "line 1: is not valid JSON",
		"{\n\"contextId\":\"s\",\n}":        "line 3: is not valid JSON",
		"[]":                                "line 1: is JSON of the wrong kind: array",
		"null":                              "is no JSON object",
		`{"contextId":7}`:                   "contextId: is not text; put it in quotes",
		`{"contextId":"s","family":["x"]}`:  "family: is not text; put it in quotes",
		`{"readToken":"Planted\u0001"}`:     "readToken: has a control character (U+0001)",
		`{"key":"a\u0000Planted"}`:          "key: has a control character (U+0000)",
		`{"value":"Planted"}`:               `value: is not a value such as COMET keeps: {"val_":"[…]"}`,
		`{"value":{"val_":"Planted"}}`:      `value: is not a value such as COMET keeps: {"val_":"[…]"}`,
		`{"writeToken":{"Planted":"aaaa"}}`: "writeToken: is not text; put it in quotes",
	} {
		_, err := orca.ParseClientInput([]byte(text))
		require.EqualError(t, err, want, text)
		require.ErrorAs(t, err, new(*orca.LineError))
	}
	in, err := orca.ParseClientInput([]byte(`{"contextId":"s","note":"of another program","value":null}`))
	require.NoError(t, err)
	assert.Empty(t, in.Value.Reveal())
}
