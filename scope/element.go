package scope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Element is what the families' lists hold: [User], [Interface], [Storage], [Route], [Script], [Host] or [PubKey]. Every member
// is a JSON string; numbers and booleans are taken as their text, null as empty.
type Element interface {
	// Kind is the kind of family that holds such elements.
	Kind() string
	// ElementKey is what an element is found by, in the form in which two spellings of the same thing are equal.
	ElementKey() string
	// Validate reports the first member that is missing or makes no sense, as a *FieldError.
	Validate() error
}

// A FieldError says which member of an element is wrong. Members that are secret are never quoted.
type FieldError struct {
	Field  string // the name that the member has in JSON
	Reason string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// A DecodeError says where a value is not what its family holds. It never quotes the value.
type DecodeError struct {
	Kind  string // kind of family; empty where it is not known
	Index int    // of the element, from 0; -1 where it is the value as a whole
	Field string // empty where it is the element as a whole
	Err   error
}

func (e *DecodeError) Error() string {
	var b strings.Builder
	if e.Kind != "" {
		b.WriteString(e.Kind + " ")
	}
	b.WriteString("value")
	if e.Index >= 0 {
		fmt.Fprintf(&b, ", element %d", e.Index)
	}
	if e.Field != "" {
		b.WriteString(", " + e.Field)
	}
	return b.String() + ": " + e.Err.Error()
}

func (e *DecodeError) Unwrap() error { return e.Err }

// Decode returns the elements of a value in their order, in every form that ParseList takes. It stops at the first element that
// is not an E; to go on past it use ParseList and ElementAt.
func Decode[E Element](body []byte) ([]E, error) {
	l, err := ParseList(body)
	if err != nil {
		return nil, withKind[E](err)
	}
	elements := make([]E, l.Len())
	for i := range elements {
		if elements[i], err = ElementAt[E](l, i); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

// Encode returns the value that holds the elements in this order: {"val_":"[…]"}.
func Encode[E Element](elements ...E) []byte {
	l := &List{}
	for i, e := range elements {
		l.set(i, encodeElement(e))
	}
	return l.Bytes()
}

// ElementAt returns element i as an E, or a *DecodeError. It checks the form, not the content: see Validate.
func ElementAt[E Element](l *List, i int) (E, error) {
	var e E
	raw := l.Raw(i)
	err := unmarshal(raw, &e)
	if err == nil && raw[0] != '{' { // null, which json takes for anything
		err = errNotJSON
	}
	if err != nil {
		d := &DecodeError{Kind: e.Kind(), Index: i, Err: errors.New("is not an object of strings")}
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
			d.Field, d.Err = t.Field, fmt.Errorf("is not text but %s", t.Value)
		}
		return e, d
	}
	return e, nil
}

// Find returns the index of the element that key finds, or -1. Elements that are not an E are passed over.
func Find[E Element](l *List, key string) int {
	for i := range l.Len() {
		if e, err := ElementAt[E](l, i); err == nil && e.ElementKey() == key {
			return i
		}
	}
	return -1
}

// Put puts e in the place of the element with its key, or behind the last where there is none. Members of the replaced element
// that E does not know are kept.
func Put[E Element](l *List, e E) (replaced bool) {
	i := Find[E](l, e.ElementKey())
	if i < 0 {
		l.set(l.Len(), encodeElement(e))
		return false
	}
	Replace(l, i, e)
	return true
}

// Replace puts e in the place of element i, which need not have its key. Members of element i that E does not know are kept.
func Replace[E Element](l *List, i int, e E) {
	l.set(i, merge(l.Raw(i), encodeElement(e), members(reflect.TypeFor[E]())))
}

// Remove takes out the element that key finds, if there is one.
func Remove[E Element](l *List, key string) (removed bool) {
	i := Find[E](l, key)
	if i >= 0 {
		l.remove(i)
	}
	return i >= 0
}

func withKind[E Element](err error) error {
	var e E
	if d, ok := errors.AsType[*DecodeError](err); ok {
		d.Kind = e.Kind()
	}
	return err
}

// encodeElement writes an element as its entry holds it, hidden text in clear.
func encodeElement(e Element) json.RawMessage {
	v := reflect.ValueOf(e)
	var list []member
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if options != "" && v.Field(i).IsZero() { // omitempty or omitzero
			continue
		}
		value := v.Field(i).Interface()
		if h, ok := value.(Hidden); ok {
			value = h.Reveal()
		}
		list = append(list, member{name, marshal(value)})
	}
	return joinMembers(list)
}

// unmarshal reads an element whose members are strings, or are taken as such.
func unmarshal(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err == nil {
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	for name, member := range object {
		if isBare(member) {
			object[name] = marshal(string(member))
		}
	}
	return json.Unmarshal(marshal(object), into)
}

// isBare reports whether the JSON is a number or a boolean.
func isBare(raw json.RawMessage) bool {
	return !bytes.ContainsAny(raw[:1], `"[{n`)
}

// member is one member of a JSON object, in the object's order.
type member struct {
	name  string
	value json.RawMessage
}

func objectMembers(object json.RawMessage) []member {
	d := json.NewDecoder(bytes.NewReader(object))
	d.Token()
	var list []member
	for d.More() {
		name, err := d.Token()
		m := member{name: fmt.Sprint(name)}
		if err != nil || d.Decode(&m.value) != nil {
			break
		}
		list = append(list, m)
	}
	return list
}

// merge lays the new element over the old one: members that E knows come from the new one, all others stay where they are.
func merge(old, update json.RawMessage, known map[string]bool) json.RawMessage {
	fresh := objectMembers(update)
	placed := map[string]bool{}
	var out []member
	for _, m := range objectMembers(old) {
		i := slices.IndexFunc(fresh, func(f member) bool { return f.name == m.name })
		switch {
		case !known[m.name], i < 0 && isEmpty(m.value):
			out = append(out, m)
		case i >= 0 && !placed[m.name]:
			placed[m.name] = true
			out = append(out, fresh[i])
		}
	}
	for _, f := range fresh {
		if !placed[f.name] {
			out = append(out, f)
		}
	}
	return joinMembers(out)
}

// isEmpty reports whether the JSON says no more than a missing member does.
func isEmpty(raw json.RawMessage) bool { return string(raw) == `""` || string(raw) == "null" }

func joinMembers(list []member) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(marshal(m.name))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// members returns the names that the struct's members have in JSON.
func members(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}
