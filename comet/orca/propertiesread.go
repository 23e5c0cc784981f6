package orca

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	library "github.com/magiconair/properties"
)

const propertyBlanks = " \t\f"

// logicalLines yields each line that holds a property, continuation lines joined, with the number of its first line. The library
// would join them too, but wrongly behind \r\n, and does not tell the line of a key.
func logicalLines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
		var joined strings.Builder
		first := 0
		for i, line := range lines {
			line = strings.TrimLeft(line, propertyBlanks)
			if joined.Len() == 0 {
				if line == "" || line[0] == '#' || line[0] == '!' {
					continue
				}
				first = i + 1
			}
			content := strings.TrimRight(line, `\`)
			slashes := len(line) - len(content)
			joined.WriteString(line[:len(line)-slashes%2])
			if slashes%2 == 1 && i < len(lines)-1 {
				continue
			}
			if joined.Len() > 0 && !yield(first, joined.String()) {
				return
			}
			joined.Reset()
		}
	}
}

// parseProperty reads one logical line. The library's own errors quote values and leave a goroutine behind; none is left to it.
func parseProperty(line string) (key, value string, err error) {
	if line[0] == '=' || line[0] == ':' {
		return "", "", fmt.Errorf("has no key before the %c", line[0])
	}
	if line, err = joinSurrogates(latin1(line)); err != nil {
		return "", "", err
	}
	loader := library.Loader{Encoding: library.UTF8, DisableExpansion: true}
	p, err := loader.LoadBytes([]byte(line))
	if err != nil || p.Len() != 1 {
		return "", "", errors.New("is no key=value")
	}
	key = p.Keys()[0]
	value, _ = p.Get(key)
	return key, value, nil
}

// latin1 decodes ISO-8859-1, in which each byte is the character of its number.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// joinSurrogates checks the \uXXXX of a line and puts the character in the place of those that come in pairs, which the library
// does not know.
func joinSurrogates(line string) (string, error) {
	var b strings.Builder
	for line != "" {
		width := 1
		if line[0] == '\\' {
			width = min(2, len(line))
		}
		if strings.HasPrefix(line, `\u`) {
			unit, ok := utf16Unit(line)
			if !ok {
				return "", errors.New(`has a \u without four hex digits`)
			}
			width = 6
			if utf16.IsSurrogate(unit) {
				second, _ := utf16Unit(line[6:])
				r := utf16.DecodeRune(unit, second)
				if r == utf8.RuneError {
					return "", errors.New(`has half a pair of \u surrogates`)
				}
				b.WriteRune(r)
				line = line[12:]
				continue
			}
		}
		b.WriteString(line[:width])
		line = line[width:]
	}
	return b.String(), nil
}

// utf16Unit reads the \uXXXX at the start of s.
func utf16Unit(s string) (unit rune, ok bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	for _, c := range []byte(s[2:6]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, false
		}
		unit = unit<<4 | rune(digit)
	}
	return unit, true
}
