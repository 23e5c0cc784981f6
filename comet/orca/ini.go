package orca

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// iniFile is an ini file as the RawConfigParser of Python 2.7 reads it, with which the deployed guests do: names in lower case,
// comment lines, comments behind " ;", indented continuation lines. Unlike there, section names ignore case too, [DEFAULT] is a
// section like others, and a value that starts with ; is one, even where a blank ends its line.
type iniFile struct {
	sections []iniSection
	twice    *LineError // the first option that is given again
}

type iniSection struct {
	name    string
	line    int // where it first stands
	entries []KeyValue
}

// section returns the entries of a section.
func (f *iniFile) section(name string) (entries []KeyValue, ok bool) {
	name = lower(name)
	i := slices.IndexFunc(f.sections, func(s iniSection) bool { return s.name == name })
	if i < 0 {
		return nil, false
	}
	return f.sections[i].entries, true
}

// parseINI reads an ini file. A line that is none of its forms is a *LineError.
func parseINI(data []byte) (*iniFile, error) {
	text, err := plainText(data)
	if err != nil {
		return nil, err
	}
	r := iniReader{sections: map[string]*openSection{}}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		if reason := r.read(number, line); reason != "" {
			return nil, &LineError{Line: number, Reason: reason}
		}
	}
	return r.file(), nil
}

// iniReader is the file as far as it has been read.
type iniReader struct {
	order    []*openSection
	sections map[string]*openSection
	section  *openSection // the one that the next option belongs to
	option   *openOption  // the one that the next indented line continues
	twice    *LineError
}

type openSection struct {
	name    string
	number  int
	order   []*openOption
	options map[string]*openOption
}

type openOption struct {
	key    string
	number int
	lines  []string
}

// read takes one line; reason says why it cannot.
func (r *iniReader) read(number int, line string) (reason string) {
	if isINIComment(line) {
		return ""
	}
	if isINISpace(line[0]) && r.option != nil {
		r.option.lines = append(r.option.lines, trimINI(line))
		return ""
	}
	if name, ok := cutHeader(line); ok {
		r.open(number, name)
		return ""
	}
	if r.section == nil {
		return "stands before the first [section]; this is no ini file"
	}
	key, value, ok := cutOption(line)
	if !ok {
		return "is no [section], no key=value and continues none"
	}
	if old := r.section.options[key]; old != nil && r.twice == nil {
		r.twice = &LineError{Line: number, Field: key, Reason: fmt.Sprintf("is given twice, first in line %d", old.number)}
	}
	r.option = r.section.put(&openOption{key, number, []string{value}})
	return ""
}

// open goes on with a section, which may have been there before.
func (r *iniReader) open(number int, name string) {
	s := r.sections[name]
	if s == nil {
		s = &openSection{name: name, number: number, options: map[string]*openOption{}}
		r.sections[name] = s
		r.order = append(r.order, s)
	}
	r.section, r.option = s, nil
}

// put sets an option; one of the same key that was there before is gone.
func (s *openSection) put(o *openOption) *openOption {
	if old := s.options[o.key]; old != nil {
		*old = *o
		return old
	}
	s.options[o.key] = o
	s.order = append(s.order, o)
	return o
}

func (r *iniReader) file() *iniFile {
	f := &iniFile{twice: r.twice}
	for _, open := range r.order {
		s := iniSection{name: open.name, line: open.number}
		for _, o := range open.order {
			s.entries = append(s.entries, KeyValue{o.key, scope.Hide(strings.Join(o.lines, "\n")), o.number})
		}
		f.sections = append(f.sections, s)
	}
	return f
}

const iniSpaces = " \t\n\v\f\r"

func isINISpace(c byte) bool { return strings.IndexByte(iniSpaces, c) >= 0 }

func trimINI(s string) string { return strings.Trim(s, iniSpaces) }

// isINIComment reports whether nothing on the line counts: it is blank, starts with # or ; or with the word rem.
func isINIComment(line string) bool {
	if trimINI(line) == "" || line[0] == '#' || line[0] == ';' {
		return true
	}
	word := line
	if i := strings.IndexAny(line, iniSpaces); i >= 0 {
		word = line[:i]
	}
	return strings.EqualFold(word, "rem")
}

// cutHeader takes the name out of [name]; what follows the bracket is ignored.
func cutHeader(line string) (name string, ok bool) {
	end := strings.IndexByte(line, ']')
	if line[0] != '[' || end < 2 {
		return "", false
	}
	return lower(line[1:end]), true
}

// cutOption takes key=value or key: value apart.
func cutOption(line string) (key, value string, ok bool) {
	i := strings.IndexAny(line, "=:")
	if i < 1 || isINISpace(line[0]) {
		return "", "", false
	}
	key, value = lower(trimINI(line[:i])), trimINI(line[i+1:])
	// Only the first ; is looked at, and only a blank before it makes it a comment.
	if c := strings.IndexByte(value, ';'); c > 0 && isINISpace(value[c-1]) {
		value = trimINI(value[:c])
	}
	if value == `""` {
		value = ""
	}
	return key, value, true
}

// lower is strings.ToLower for ASCII; other bytes, UTF-8 or not, stay as they are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// writeOption writes an option so that parseINI reads it back, where an ini file can hold it at all; see holds.
func writeOption(b *bytes.Buffer, key, value string) {
	b.WriteString(key + "=" + strings.ReplaceAll(value, "\n", "\n\t") + "\n")
}

// holds reports whether an ini file can hold the value: one with " ;" or with blanks around it would come back different.
func holds(key, value string) bool {
	b := bytes.NewBufferString("[s]\n")
	writeOption(b, key, value)
	f, err := parseINI(b.Bytes())
	if err != nil || len(f.sections) != 1 {
		return false
	}
	entries := f.sections[0].entries
	return len(entries) == 1 && entries[0].Key == key && entries[0].Value.Reveal() == value
}

// INI is an ini file, read as user data is: as the RawConfigParser of Python 2.7 does; section and key names ignore case. It prints no
// value.
type INI struct{ read hidden[iniFile] }

// ParseINI reads an ini file. A line that is none of its forms is a *LineError.
func ParseINI(data []byte) (INI, error) {
	f, err := parseINI(data)
	if err != nil {
		return INI{}, err
	}
	return INI{hide(f)}, nil
}

// Twice is an error that names the first option which is given twice in a section, of which the later one counts; nil where there is none.
func (f INI) Twice() error {
	if read := f.read.get(); read != nil && read.twice != nil {
		return read.twice
	}
	return nil
}

// Sections returns the names of the sections, in lower case and in their order.
func (f INI) Sections() (names []string) {
	if read := f.read.get(); read != nil {
		for _, s := range read.sections {
			names = append(names, s.name)
		}
	}
	return names
}

// Section returns the entries of a section in their order, with their lines; keys are in lower case.
func (f INI) Section(name string) []KeyValue {
	if read := f.read.get(); read != nil {
		entries, _ := read.section(name)
		return slices.Clone(entries)
	}
	return nil
}
