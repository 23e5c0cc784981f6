package orca

import (
	"bytes"
	"encoding/json"

	"github.com/renci-nrig/comet-go/scope"
)

// ClientInput is an input file of the Python COMET client. What it does not have is zero; what an operation needs, the operation
// says. It prints no token.
type ClientInput struct {
	Name                  scope.Name // the parts that it has
	Tokens                scope.Tokens
	Value                 scope.Hidden // the value as it is stored, JSON
	CACert, Cert, CertKey string       // paths: the heads' CA, our certificate and its key
}

// LoadClientInput reads an input file of the Python COMET client.
func LoadClientInput(path string) (ClientInput, error) {
	return load(path, "client input", ParseClientInput)
}

// ParseClientInput reads an input file of the Python COMET client. Members that it does not know are ignored, as that client does.
// What is no JSON, or a member that cannot be what it should, is a *LineError.
func ParseClientInput(data []byte) (ClientInput, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return ClientInput{}, jsonError(data, err)
	}
	if members == nil {
		return ClientInput{}, &LineError{Reason: "is no JSON object"}
	}
	r := sliceReader{source: string(data)}
	in := ClientInput{
		Name: scope.Name{
			Context: name(&r, "contextId", members["contextId"], scope.ParseContextID),
			Family:  name(&r, "family", members["family"], scope.ParseFamily),
			Key:     name(&r, "key", members["key"], scope.ParseKey),
		},
		Tokens: scope.Tokens{
			Read:  name(&r, "readToken", members["readToken"], scope.ParseToken),
			Write: name(&r, "writeToken", members["writeToken"], scope.ParseToken),
		},
		CACert:  r.text("caCert", members["caCert"]),
		Cert:    r.text("cert", members["cert"]),
		CertKey: r.text("certKey", members["certKey"]),
	}
	if value := members["value"]; value != nil && string(value) != "null" {
		if _, err := scope.ParseList(value); err != nil {
			r.fail(0, "value", "is not a value such as COMET keeps: {\"val_\":\"[…]\"}")
		}
		var b bytes.Buffer
		if err := json.Compact(&b, value); err != nil {
			r.fail(0, "value", "is not valid JSON")
		}
		in.Value = scope.Hide(b.String())
	}
	return in, r.err
}
