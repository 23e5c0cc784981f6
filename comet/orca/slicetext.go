package orca

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// sliceJSON returns the file's content as JSON. A file that starts with { is JSON, any other YAML.
func sliceJSON(data []byte) (json.RawMessage, error) {
	text, err := plainText(data)
	if err != nil {
		return nil, err
	}
	if at := notUTF8(text); at >= 0 {
		return nil, &LineError{Line: lineAt(data, int64(at+1)), Reason: "is not UTF-8"}
	}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		var raw json.RawMessage
		if err := json.Unmarshal([]byte(text), &raw); err != nil {
			return nil, explained(jsonError([]byte(text), err), err)
		}
		return raw, nil
	}
	if err := oneDocument(text); err != nil {
		return nil, err
	}
	converted, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, yamlError(err)
	}
	return converted, nil
}

// oneDocument refuses a second YAML document, which the library would pass over in silence.
func oneDocument(text string) error {
	content, number := false, 0
	for line := range strings.Lines(text) {
		number++
		rest, marker := strings.CutPrefix(line, "---")
		if content && marker && (rest == "" || strings.ContainsRune(" \t\r\n", rune(rest[0]))) {
			return &LineError{Line: number, Reason: "starts a second document; a slice file is one"}
		}
		line = strings.TrimSpace(line)
		content = content || line != "" && line != "---" && line[0] != '#' && line[0] != '%'
	}
	return nil
}

// notUTF8 returns where a text is not UTF-8, or -1.
func notUTF8(text string) int {
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return i
		}
	}
	return -1
}

// quotes finds more of a file than a character.
var quotes = regexp.MustCompile("[`\"]|'[^' ]{2,}")

// explained adds what a decoder found wrong, unless that quotes the file.
func explained(at, found error) error {
	e, ok := errors.AsType[*LineError](at)
	says := found.Error()
	if _, behind, hasLine := strings.Cut(says, ": line "); hasLine {
		_, says, _ = strings.Cut(behind, ": ")
	}
	says = strings.TrimPrefix(says, "yaml: ")
	if ok && says != "" && !quotes.MatchString(says) {
		e.Reason += ": " + says
	}
	return at
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

func yamlError(err error) error {
	e := &LineError{Reason: "is not valid YAML"}
	if strings.Contains(err.Error(), "already set in map") {
		e.Reason = "has a member that is there already"
	} else {
		explained(e, err)
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
	}
	return e
}
