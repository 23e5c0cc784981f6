package orca

import (
	"fmt"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// Properties is the content of a Java properties file. It remembers where each key stood, so that whoever finds a value wanting
// can name the line. The zero value is empty. It prints how much it holds, never what.
type Properties struct{ table hidden[propertyTable] }

type propertyTable struct {
	keys  []string
	byKey map[string]KeyValue
}

// NewProperties returns the properties of a list; of two with one key the last counts.
func NewProperties(list ...KeyValue) Properties {
	t := &propertyTable{byKey: make(map[string]KeyValue, len(list))}
	for _, kv := range list {
		t.put(kv)
	}
	return Properties{hide(t)}
}

// LoadProperties reads a properties file.
func LoadProperties(path string) (Properties, error) {
	return load(path, "properties file", ParseProperties)
}

// ParseProperties reads properties by the rules of java.util.Properties: ISO-8859-1, \uXXXX, continuation lines, of two lines with
// one key the last counts. Stricter than Java, a line without a key and a file that is no text are a *LineError.
func ParseProperties(data []byte) (Properties, error) {
	text, err := plainText(data)
	if err != nil {
		return Properties{}, err
	}
	t := &propertyTable{byKey: map[string]KeyValue{}}
	for line, text := range logicalLines(text) {
		key, value, err := parseProperty(text)
		if err != nil {
			return Properties{}, &LineError{Line: line, Reason: err.Error()}
		}
		t.put(KeyValue{Key: key, Value: scope.Hide(value), Line: line})
	}
	return Properties{hide(t)}, nil
}

func (t *propertyTable) put(kv KeyValue) {
	if _, again := t.byKey[kv.Key]; !again {
		t.keys = append(t.keys, kv.Key)
	}
	t.byKey[kv.Key] = kv
}

// Get returns the value of a key. A value that is exactly one ${…} counts as unset; see Unset.
func (p Properties) Get(key string) (value string, ok bool) {
	kv, ok := p.entry(key)
	if !ok || Unset(kv.Value.Reveal()) {
		return "", false
	}
	return kv.Value.Reveal(), true
}

// Text returns the value of a key without the blanks around it, which Java keeps; it is empty where the key is unset.
func (p Properties) Text(key string) string {
	value, _ := p.Get(key)
	return strings.TrimSpace(value)
}

// Keys returns all keys in the order in which they first stood in the file. The caller does not change the slice.
func (p Properties) Keys() []string {
	if t := p.table.get(); t != nil {
		return t.keys
	}
	return nil
}

// Line returns the line of a key, from 1; 0 where there is none.
func (p Properties) Line(key string) int {
	kv, _ := p.entry(key)
	return kv.Line
}

func (p Properties) entry(key string) (kv KeyValue, ok bool) {
	if t := p.table.get(); t != nil {
		kv, ok = t.byKey[key]
	}
	return kv, ok
}

// Errorf returns a *LineError for a key, with its line.
func (p Properties) Errorf(key, format string, args ...any) error {
	return &LineError{Line: p.Line(key), Field: key, Reason: fmt.Sprintf(format, args...)}
}

// String says how many properties there are.
func (p Properties) String() string { return fmt.Sprintf("%d properties", len(p.Keys())) }

// Format prints the same for every verb.
func (p Properties) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }
