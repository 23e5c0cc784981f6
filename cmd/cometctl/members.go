package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// orderedMembers returns the names and texts of an element's members in their order. What is no object is one member, VALUE.
func orderedMembers(raw json.RawMessage) [][2]string {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return [][2]string{{"VALUE", plain(raw)}}
	}
	var members [][2]string
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			break
		}
		members = append(members, [2]string{name.(string), plain(value)})
	}
	return members
}

// plain is JSON as people read it: text without quotes, a list of texts on one line.
func plain(raw json.RawMessage) string {
	var text string
	var list []string
	switch {
	case string(raw) == "null":
		return ""
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &list) == nil:
		return strings.Join(list, ", ")
	}
	return string(raw)
}
