package orca

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/scope"
)

// A LineError says where a file makes no sense, and how. It quotes no value that may be secret.
type LineError struct {
	Line   int    // from 1; 0 where it is not known or nothing stands there
	Field  string // the key or member; empty where it is the line as a whole
	Reason string
}

func (e *LineError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Field != "" {
		b.WriteString(printable(e.Field) + ": ")
	}
	return b.String() + e.Reason
}

// printable is a name as it stands, quoted where it would end the line or tell a terminal something: anybody may have written it.
func printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl) {
		return name
	}
	return strconv.Quote(name)
}

// KeyValue is one entry of a properties or ini file. Its value may be a token, a password or a script, and prints as [redacted].
type KeyValue struct {
	Key   string
	Value scope.Hidden
	Line  int // where it was read, from 1; 0 where it was not
}

// LogValue shows all but the value.
func (kv KeyValue) LogValue() slog.Value {
	return slog.GroupValue(slog.String("key", kv.Key), slog.Int("line", kv.Line))
}

// Unset reports whether a value is exactly one ${…}: what an Ant handler passes on for a property that nobody set.
func Unset(value string) bool {
	name, isReference := strings.CutPrefix(value, "${")
	return isReference && name != "" && strings.IndexByte(name, '}') == len(name)-1
}

// load reads the file and gives it to parse; an error names the file.
func load[T any](path, what string, parse func([]byte) (T, error)) (T, error) {
	var none T
	data, err := os.ReadFile(path)
	if err != nil {
		return none, fmt.Errorf("read %s: %w", what, err)
	}
	v, err := parse(data)
	if err != nil {
		return none, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// plainText returns a text file's content without the byte order mark that some editors put first. A file with a zero byte is no
// text: a key store or a certificate, most likely.
func plainText(data []byte) (string, error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return "", &LineError{Line: 1 + bytes.Count(data[:i], []byte("\n")), Reason: "has a zero byte; this is no text file"}
	}
	return string(bytes.TrimPrefix(data, []byte("\ufeff"))), nil
}

// hidden holds what fmt must not print. Out of unexported fields fmt calls no methods; it follows a pointer to a struct, for verbs
// that do not fit a pointer, but no pointer to a pointer.
type hidden[T any] struct{ at **T }

func hide[T any](v *T) hidden[T] { return hidden[T]{&v} }

// get returns nil from the zero value.
func (h hidden[T]) get() *T {
	if h.at == nil {
		return nil
	}
	return *h.at
}
