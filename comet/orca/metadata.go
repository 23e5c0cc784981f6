package orca

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// members are the fields of user data in an instance's metadata: as the instance finds them, and as the API is told them.
type members struct {
	Meta     map[string]json.RawMessage `json:"meta"`
	Metadata map[string]json.RawMessage `json:"metadata"`
}

// which returns those that count, nil where there are none, and where they stand.
func (m members) which() (fields map[string]json.RawMessage, where string) {
	if m.Meta == nil && m.Metadata != nil {
		return m.Metadata, "metadata"
	}
	return m.Meta, "meta"
}

// ParseMetadata reads the meta_data.json of an OpenStack instance, as Chameleon has it: the fields of user data are members of
// meta, the host name is the instance's hostname. It also reads what FormatMetadata writes, where they are members of metadata. Members
// that it does not know are ignored. What is not JSON, has neither, or a field that cannot be what it should, is a *LineError.
func ParseMetadata(data []byte) (UserData, error) {
	var instance struct {
		HostName string `json:"hostname"`
		members
	}
	if err := json.Unmarshal(data, &instance); err != nil {
		return UserData{}, jsonError(data, err)
	}
	fields, where := instance.which()
	if fields == nil {
		return UserData{}, &LineError{Field: "meta", Reason: "is missing; this is no instance's metadata"}
	}
	var u UserData
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := u.setMember(name, fields[name]); err != nil {
			return UserData{}, &LineError{Field: where + "." + name, Reason: err.Error()}
		}
	}
	if instance.HostName != "" {
		if err := u.setNamed("host_name", instance.HostName); err != nil {
			return UserData{}, &LineError{Field: "hostname", Reason: err.Error()}
		}
	}
	return u, nil
}

// IsMetadata reports whether the text is metadata that is meant for COMET: a JSON object whose meta, or metadata, has a slice or heads.
// What ParseMetadata finds wrong in such a text has to be mended; other text is of a VM that has nothing to do with COMET.
func IsMetadata(data []byte) bool {
	var m members
	if json.Unmarshal(data, &m) != nil {
		return false
	}
	fields, _ := m.which()
	for name := range fields {
		if n := lower(name); n == "slice_id" || n == "comethost" {
			return true
		}
	}
	return false
}

// setMember sets the field of that name, if there is one, to a JSON string without the blanks around it.
func (u *UserData) setMember(name string, raw json.RawMessage) error {
	if fieldNamed(lower(name)) < 0 {
		return nil
	}
	var value string
	if json.Unmarshal(raw, &value) != nil {
		return errors.New("is not text")
	}
	return u.setNamed(lower(name), strings.TrimSpace(value))
}

// jsonError says where JSON is none; the decoder's own error may quote it.
func jsonError(data []byte, err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &LineError{Line: lineAt(data, e.Offset), Field: e.Field, Reason: "is JSON of the wrong kind: " + kindOf(e.Value)}
	}
	e := &LineError{Reason: "is not valid JSON"}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		e.Line = lineAt(data, s.Offset)
	}
	return e
}

// kindOf cuts the value off that encoding/json puts behind "number".
func kindOf(value string) string {
	kind, _, _ := strings.Cut(value, " ")
	return kind
}

// lineAt returns the line of the byte before offset.
func lineAt(data []byte, offset int64) int {
	return 1 + strings.Count(string(data[:max(0, offset-1)]), "\n")
}
