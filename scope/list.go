package scope

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// List is the value of an entry, opened for editing: the ordered elements of the JSON array that the member val_ holds as a
// string, together with everything that stands around them. What is not edited keeps its very bytes: other members of the
// object, unknown elements, blanks, ways of escaping. The zero List is empty and writes {"val_":"[]"}.
//
// A List belongs to one goroutine at a time.
type List struct {
	original       []byte // the value as it was opened; nil once it is edited
	prefix, suffix string // all that stands before the first element and after the last, brackets included
	elements       []stored
}

// stored is one element as its text stands in the value, escaped as inside a JSON string, after what separates it from the one
// before.
type stored struct{ separator, text string }

const (
	emptyPrefix = `{"val_":"[`
	emptySuffix = `]"}`
)

// ParseList opens a value. Besides {"val_":"[…]"} it takes all that deployed programs leave: the empty JSON string (an entry that
// was reset), {} and other objects without val_ (no elements; a first one adds val_), val_ that is null, empty, or an array that
// was not encoded twice, and members that it does not know. Anything else is a *DecodeError, which never quotes the value.
func ParseList(body []byte) (*List, error) {
	l, err := parseList(body)
	if err == nil {
		l.original = bytes.Clone(body)
	}
	return l, err
}

func parseList(body []byte) (*List, error) {
	trimmed := strings.TrimSpace(string(body))
	switch {
	case trimmed == "" || trimmed == `""` || trimmed == "null":
		return &List{}, nil
	case trimmed[0] != '{':
		return nil, &DecodeError{Index: -1, Err: errors.New("is not a JSON object")}
	}
	text := string(body)
	val, members, err := findVal(text)
	if err != nil {
		return nil, &DecodeError{Index: -1, Err: err}
	}
	if val.end == 0 {
		return openBare(text, members), nil
	}
	return openVal(text, val)
}

// span is a part of a text.
type span struct{ start, end int }

// findVal looks for the member val_ of the object and counts the members. Of two, the last counts, as for every JSON reader.
func findVal(object string) (val span, members int, err error) {
	d := json.NewDecoder(strings.NewReader(object))
	if _, err := d.Token(); err != nil {
		return span{}, 0, errNotJSON
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return span{}, 0, errNotJSON
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return span{}, 0, errNotJSON
		}
		members++
		if name == "val_" {
			end := int(d.InputOffset())
			val = span{end - len(raw), end}
		}
	}
	if _, err := d.Token(); err != nil || strings.TrimSpace(object[d.InputOffset():]) != "" {
		return span{}, 0, errNotJSON
	}
	return val, members, nil
}

// errNotJSON stands in for the decoder's own error, which may quote the value.
var errNotJSON = errors.New("is not valid JSON")

// openBare opens an object that has no val_: a first element will add it behind the members that are there.
func openBare(text string, members int) *List {
	brace := strings.LastIndexByte(text, '}')
	comma := ""
	if members > 0 {
		comma = ","
	}
	return &List{
		prefix: text[:brace] + comma + `"val_":"[`,
		suffix: `]"` + text[brace:],
	}
}

func openVal(text string, val span) (*List, error) {
	before, raw, after := text[:val.start], text[val.start:val.end], text[val.end:]
	switch {
	case raw == "null" || raw == `""`:
		return &List{prefix: before + `"[`, suffix: `]"` + after}, nil
	case raw[0] == '[': // not encoded twice; edited, it will be, since old readers know no other form
		raw = `"` + escape(raw) + `"`
	}
	switch {
	case raw[0] == '"':
		inner := raw[1 : len(raw)-1]
		array, origin := unescape(inner)
		if strings.TrimSpace(array) == "" {
			return &List{prefix: before + `"[`, suffix: `]"` + after}, nil
		}
		return split(before+`"`, inner, `"`+after, array, origin)
	}
	return nil, &DecodeError{Index: -1, Field: "val_", Err: errors.New("is not a string that holds a JSON array")}
}

// split cuts the array into its elements. text is the array as it stands in the value, array what it means, origin where in text
// each byte of array comes from (nil: they are the same).
func split(before, text, after, array string, origin []int) (*List, error) {
	at := func(i int) int {
		if origin == nil {
			return i
		}
		return origin[i]
	}
	parts, err := arrayElements(array)
	if err != nil {
		return nil, &DecodeError{Index: -1, Field: "val_", Err: err}
	}
	l := &List{}
	open := len(array) - len(strings.TrimLeft(array, " \t\r\n")) + 1
	cursor := open // where the text ends that is placed already
	for i, p := range parts {
		gap := text[at(cursor):at(p.start)]
		if i == 0 {
			l.prefix, gap = before+text[:at(p.start)], ""
		}
		l.elements = append(l.elements, stored{separator: gap, text: text[at(p.start):at(p.end)]})
		cursor = p.end
	}
	if len(parts) == 0 {
		l.prefix = before + text[:at(open)]
	}
	l.suffix = text[at(cursor):] + after
	return l, nil
}

var errNotArray = errors.New("does not hold a JSON array")

// arrayElements finds the elements of the array.
func arrayElements(array string) ([]span, error) {
	d := json.NewDecoder(strings.NewReader(array))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, errNotArray
	}
	var parts []span
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, errNotArray
		}
		end := int(d.InputOffset())
		parts = append(parts, span{end - len(raw), end})
	}
	if _, err := d.Token(); err != nil || strings.TrimSpace(array[d.InputOffset():]) != "" {
		return nil, errNotArray
	}
	return parts, nil
}

// Len returns the number of elements.
func (l *List) Len() int { return len(l.elements) }

// Raw returns the JSON of element i, whatever it is.
func (l *List) Raw(i int) json.RawMessage {
	text, _ := unescape(l.elements[i].text)
	return json.RawMessage(text)
}

// Bytes returns the value, ready to be stored: that which was opened, to the byte, unless an element was changed since.
func (l *List) Bytes() []byte {
	if l.original != nil {
		return bytes.Clone(l.original)
	}
	l.edit()
	var b bytes.Buffer
	b.WriteString(l.prefix)
	for _, e := range l.elements {
		b.WriteString(e.separator)
		b.WriteString(e.text)
	}
	b.WriteString(l.suffix)
	return b.Bytes()
}

// set puts the JSON of one element in place of element i, or behind the last where i is Len.
func (l *List) set(i int, raw json.RawMessage) {
	text := escape(string(raw))
	if i < len(l.elements) {
		if l.elements[i].text != text {
			l.edit()
			l.elements[i].text = text
		}
		return
	}
	l.edit()
	separator := ""
	if i > 0 {
		separator = ","
	}
	if i > 1 {
		separator = l.elements[i-1].separator // as its writer likes it
	}
	l.elements = append(l.elements, stored{separator, text})
}

// remove takes element i out, with the separator that it no longer needs.
func (l *List) remove(i int) {
	l.edit()
	if i == 0 && len(l.elements) > 1 {
		l.elements[1].separator = ""
	}
	l.elements = append(l.elements[:i:i], l.elements[i+1:]...)
}

// edit is called before the list is changed, or has to be written anew.
func (l *List) edit() {
	l.original = nil
	if l.prefix == "" {
		l.prefix, l.suffix = emptyPrefix, emptySuffix
	}
}
