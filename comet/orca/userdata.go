package orca

import (
	"bytes"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// UserData is what a VM is told of itself: EC2-style instance user data, an ini file, or the metadata of OpenStack. Unset fields
// are empty. It has more than the fields: Section gives all that was read. It prints no token.
type UserData struct {
	Identity
	CometHost  string      // heads, separated by commas; where it is empty, sections of the user data hold what COMET would
	ReadToken  scope.Token // of the VM's own entries
	Slice      SliceAccess
	CACert     []byte // cometcacert: DER or PEM, in the file as base64
	ServerName string // cometservername: names that the heads' certificates may bear, separated by commas: NAME, *.NAME, HOST:PORT=NAME

	read hidden[iniFile] // all that was read
}

const globalSection = "global"

// LoadUserData reads a user data file.
func LoadUserData(path string) (UserData, error) { return load(path, "user data", ParseUserData) }

// ParseUserData reads user data as Python 2.7 does, with which the deployed guests read it; section names ignore case as well.
// What is no ini file, has no section [global], or a field that cannot be what it should, is a *LineError.
func ParseUserData(data []byte) (UserData, error) {
	f, err := parseINI(data)
	if err != nil {
		return UserData{}, err
	}
	global, ok := f.section(globalSection)
	if !ok {
		return UserData{}, noGlobal(f)
	}
	u := UserData{read: hide(f)}
	for _, kv := range global {
		if err := u.setNamed(kv.Key, kv.Value.Reveal()); err != nil {
			return UserData{}, &LineError{Line: kv.Line, Field: kv.Key, Reason: err.Error()}
		}
	}
	return u, nil
}

// IsUserData reports whether the text is user data by its beginning: an ini file at least as far as its section [global]. What
// ParseUserData finds wrong in such a text has to be mended; other text is meant for others, such as cloud-init.
func IsUserData(data []byte) bool {
	text, err := plainText(data)
	if err != nil {
		return false
	}
	r := iniReader{sections: map[string]*openSection{}}
	for line := range strings.SplitSeq(text, "\n") {
		if r.read(0, line) != "" {
			return false
		}
		if r.sections[globalSection] != nil {
			return true
		}
	}
	return false
}

// noGlobal names what stands where [global] should: other programs' sections are left alone beside it, not in its place.
func noGlobal(f *iniFile) error {
	e := &LineError{Reason: "user data has no section [global]"}
	if len(f.sections) > 0 {
		e.Line, e.Reason = f.sections[0].line, printable("["+f.sections[0].name+"]")+" is not a section that says who the VM is; user data has no [global]"
	}
	return e
}

// setNamed sets the field of that name, if there is one.
func (u *UserData) setNamed(name, value string) error {
	if i := fieldNamed(name); i >= 0 {
		return globalFields[i].setField(u, value)
	}
	return nil
}

func fieldNamed(name string) int {
	return slices.IndexFunc(globalFields, func(f field) bool { return f.name == name })
}

// Section returns the entries of a section in their order, as they were read; its name ignores case. Keys are in lower case, lines
// of a value are separated by \n and stand without the blanks around them.
func (u UserData) Section(name string) []KeyValue {
	if f := u.read.get(); f != nil {
		entries, _ := f.section(name)
		return slices.Clone(entries)
	}
	return nil
}

// INI writes the user data as an aggregate manager does: the identity, unset fields as comments, then the COMET fields that are
// set. What was read beside them, in [global] and in other sections, follows. A value that an ini file cannot hold, such as one
// with " ;" in it, is a *LineError that names the field.
func (u UserData) INI() ([]byte, error) {
	b := bytes.NewBufferString("[" + globalSection + "]\n")
	for _, f := range identityFields {
		if f.get(&u) == "" {
			b.WriteString(";" + f.name + "= Not Specified\n")
		} else if err := u.write(b, f); err != nil {
			return nil, err
		}
	}
	for _, f := range cometFields {
		if f.get(&u) == "" {
			continue
		}
		if err := u.write(b, f); err != nil {
			return nil, err
		}
	}
	u.writeOthers(b)
	return b.Bytes(), nil
}

func (u UserData) write(b *bytes.Buffer, f field) error {
	value := f.get(&u)
	if meansNothing(value) || !holds(f.name, value) {
		return &LineError{Field: f.name, Reason: "cannot be written to user data: it would be read back as something else"}
	}
	writeOption(b, f.name, value)
	return nil
}

// writeOthers writes what was read and is no field. It came out of an ini file, so that one can hold it.
func (u UserData) writeOthers(b *bytes.Buffer) {
	f := u.read.get()
	if f == nil {
		return
	}
	for _, kv := range u.Section(globalSection) {
		if fieldNamed(kv.Key) < 0 {
			writeOption(b, kv.Key, kv.Value.Reveal())
		}
	}
	for _, s := range f.sections {
		if s.name == globalSection {
			continue
		}
		b.WriteString("[" + s.name + "]\n")
		for _, kv := range s.entries {
			writeOption(b, kv.Key, kv.Value.Reveal())
		}
	}
}
