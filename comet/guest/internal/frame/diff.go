package frame

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
)

// Diff returns a unified diff of a file, fit for a terminal: what is no printable text shows as U+FFFD.
func Diff(path string, before, after []byte) string {
	return printable(udiff.Unified(path, path, string(before), string(after)))
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

// OneLine makes a text fit for one line of a log, a table or a note: what is no printable text shows as U+FFFD, line breaks as "; ",
// and of a long text only the beginning is left.
func OneLine(text string) string {
	const longest = 400
	text = printable(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest-len("…")], "") + "…"
	}
	return strings.ReplaceAll(text, "\t", " ")
}
