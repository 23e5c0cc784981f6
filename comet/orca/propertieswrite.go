package orca

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
)

// FormatProperties writes a list in its order as a Java properties fragment: ASCII alone, with the escapes that
// java.util.Properties writes. Keys are not empty, and keys and values are valid UTF-8. ParseProperties reads back the same.
func FormatProperties(list ...KeyValue) []byte {
	var b bytes.Buffer
	for _, kv := range list {
		b.WriteString(escapeProperty(kv.Key, true) + "=" + escapeProperty(kv.Value.Reveal(), false) + "\n")
	}
	return b.Bytes()
}

var propertyEscapes = map[rune]string{'\\': `\\`, '\t': `\t`, '\n': `\n`, '\r': `\r`, '\f': `\f`, '=': `\=`, ':': `\:`, '#': `\#`, '!': `\!`}

// escapeProperty escapes one side of a line. Blanks end a key and are lost at the start of a value.
func escapeProperty(text string, isKey bool) string {
	var b strings.Builder
	for i, r := range text {
		switch escape, special := propertyEscapes[r]; {
		case special:
			b.WriteString(escape)
		case r == ' ' && (isKey || i == 0):
			b.WriteString(`\ `)
		case r < ' ' || r > '~':
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04X`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
