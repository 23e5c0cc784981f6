package orca

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/scope"
)

// maxMetadata is how many characters OpenStack's compute API takes in one value of an instance's metadata.
const maxMetadata = 255

// notInMetadata are the fields that an instance's metadata does not hold: it has its own host name, and no certificate fits in.
var notInMetadata = []string{"host_name", "cometcacert"}

// Metadata returns the fields that are set as members of an OpenStack instance's metadata, where ParseMetadata finds them again. The
// host name is the instance's own, and the CA travels by CloudInit or with the image. A value that OpenStack would not take is a
// *LineError that names the field.
func (u UserData) Metadata() ([]KeyValue, error) {
	var list []KeyValue
	for _, f := range globalFields {
		v := f.get(&u)
		if v == "" || slices.Contains(notInMetadata, f.name) {
			continue
		}
		if n := utf8.RuneCountInString(v); n > maxMetadata {
			return nil, &LineError{Field: f.name, Reason: fmt.Sprintf("has %d characters; OpenStack takes %d in a value of metadata", n, maxMetadata)}
		}
		list = append(list, KeyValue{Key: f.name, Value: scope.Hide(v)})
	}
	return list, nil
}

// FormatMetadata writes members as the body of OpenStack's compute API, {"metadata":{…}}, as it sets metadata of an instance.
func FormatMetadata(list ...KeyValue) []byte {
	return []byte("{\n  \"metadata\": " + string(object(list, "  ")) + "\n}\n")
}

// FormatHeat writes members as the block metadata of a server's properties in a Heat template.
func FormatHeat(list ...KeyValue) []byte {
	members := map[string]string{}
	for _, kv := range list {
		members[kv.Key] = kv.Value.Reveal()
	}
	text, err := asYAML(map[string]map[string]string{"metadata": members})
	if err != nil {
		panic(err) // there is nothing but text in it
	}
	return text
}

// FormatJSON writes a list in its order as a JSON object of texts.
func FormatJSON(list ...KeyValue) []byte { return append(object(list, ""), '\n') }

func object(list []KeyValue, indent string) []byte {
	var b bytes.Buffer
	b.WriteString("{")
	for i, kv := range list {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n" + indent + "  " + quote(kv.Key) + ": " + quote(kv.Value.Reveal()))
	}
	b.WriteString("\n" + indent + "}")
	return b.Bytes()
}

func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a text always can
	}
	return string(bytes.TrimRight(b.Bytes(), "\n"))
}
