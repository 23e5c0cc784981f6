package contents

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/internal/digest"
	"github.com/renci-nrig/comet-go/scope"
)

// format is what a file of this kind says of itself. Another has another number after the slash.
const (
	formatPrefix = "comet-export/"
	format       = formatPrefix + "1"

	beginning = `{"format":"` + formatPrefix // of the first line
	ending    = `{"entries":`                // the beginning of the last line
)

// maxLine is the longest line, in bytes: a value in base64, or escaped as \u00XX, six bytes for each of its own, and names.
const maxLine = 8 << 20

type headerLine struct {
	Format  string    `json:"format"`
	Store   string    `json:"store"`
	Taken   time.Time `json:"taken"`
	Digests []byte    `json:"digests"`
}

type entryLine struct {
	Context  string    `json:"context"`
	Read     []byte    `json:"read"`
	Family   string    `json:"family"`
	Key      string    `json:"key"`
	Write    []byte    `json:"write"`
	Modified time.Time `json:"modified"`
	Owner    string    `json:"owner,omitempty"`
	Value    *string   `json:"value,omitempty"`
	Bytes    []byte    `json:"bytes,omitempty"`
}

type trailerLine struct {
	Entries *int   `json:"entries"`
	SHA256  string `json:"sha256"`
}

func (h Header) line() headerLine {
	return headerLine{Format: format, Store: h.Store, Taken: h.Taken.UTC(), Digests: h.Key.Bytes()}
}

func parseHeader(line []byte) (Header, error) {
	var l headerLine
	if err := parse(line, &l); err != nil {
		return Header{}, err
	}
	key, err := digest.ParseKey(l.Digests)
	if err != nil {
		return Header{}, err
	}
	return Header{Store: l.Store, Taken: l.Taken, Key: key}, nil
}

func (r Entry) line() entryLine {
	l := entryLine{
		Context: r.Name.Context.String(), Read: r.Read[:], Family: r.Name.Family.String(), Key: r.Name.Key.String(),
		Write: r.Write[:], Modified: r.Modified.UTC(), Owner: r.Owner,
	}
	if utf8.ValidString(r.Value) {
		l.Value = &r.Value
	} else {
		l.Bytes = []byte(r.Value)
	}
	return l
}

// parseEntry makes errors that quote nothing: the line has a value in it.
func parseEntry(line []byte) (Entry, error) {
	var l entryLine
	if err := parse(line, &l); err != nil {
		return Entry{}, err
	}
	name, err := scope.NewName(l.Context, l.Family, l.Key)
	switch {
	case err != nil:
		return Entry{}, err
	case len(l.Read) != digest.Size || len(l.Write) != digest.Size:
		return Entry{}, errors.New("a digest has not 32 bytes")
	case (l.Value == nil) == (l.Bytes == nil):
		return Entry{}, errors.New("it has not one of value and bytes")
	case l.Modified.UnixMilli() < 0:
		return Entry{}, errors.New("it was modified before 1970")
	case len(l.Owner) > server.MaxOwner:
		return Entry{}, errors.New("its owner is longer than stores take")
	}
	r := Entry{
		Name: name, Read: digest.Digest(l.Read), Write: digest.Digest(l.Write), Modified: l.Modified.UTC().Truncate(time.Millisecond), Owner: l.Owner,
	}
	if l.Value != nil {
		r.Value = *l.Value
	} else {
		r.Value = string(l.Bytes)
	}
	if len(r.Value) > server.MaxValue {
		return Entry{}, errors.New("its value is longer than heads take")
	}
	return r, nil
}

var errNotExported = errors.New("it is not what an export holds")

// parse takes one line without unknown members.
func parse(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return errNotExported
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errNotExported
	}
	return nil
}

func checkFormat(line []byte) error {
	number, _, _ := strings.Cut(strings.TrimPrefix(string(line), beginning), `"`)
	if formatPrefix+number != format {
		return fmt.Errorf("%w (%q)", ErrFormat, number[:min(len(number), 8)])
	}
	return nil
}
