package scope

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// escape returns text as it stands between the quotes of a JSON string.
func escape(text string) string {
	quoted := marshal(text)
	return string(quoted[1 : len(quoted)-1])
}

// marshal is json.Marshal without the escapes that only HTML needs; v is one of our own types and always encodes.
func marshal(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("scope: encoding " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

var simpleEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape is the inverse of escape for the inside of any valid JSON string. origin[i] tells where in s byte i of the text comes
// from, with one entry more for the end; it is nil where nothing was escaped.
func unescape(s string) (text string, origin []int) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	origin = make([]int, 0, len(s)+1)
	for i := 0; i < len(s); {
		width := 1
		before := len(out)
		switch {
		case s[i] != '\\':
			out = append(out, s[i])
		case s[i+1] == 'u':
			var r rune
			r, width = unescapeRune(s[i:])
			out = utf8.AppendRune(out, r)
		default:
			out, width = append(out, simpleEscapes[s[i+1]]), 2
		}
		for range len(out) - before {
			origin = append(origin, i)
		}
		i += width
	}
	return string(out), append(origin, len(s))
}

// unescapeRune reads the \uXXXX, or the pair of them, at the start of s. Half a pair means U+FFFD, as for encoding/json.
func unescapeRune(s string) (r rune, width int) {
	first := hex4(s)
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if pair := utf16.DecodeRune(first, hex4(s[6:])); pair != utf8.RuneError {
		return pair, 12
	}
	return utf8.RuneError, 6
}

// hex4 reads the four digits of the \uXXXX at the start of s; -1 where there is none.
func hex4(s string) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range []byte(s[2:6]) {
		r <<= 4
		switch {
		case c <= '9':
			r |= rune(c - '0')
		default:
			r |= rune(c|0x20-'a') + 10
		}
	}
	return r
}
