package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/renci-nrig/comet-go/scope"
)

// shownName is an entry's name as data.
type shownName struct {
	Context string `json:"context"`
	Family  string `json:"family"`
	Key     string `json:"key"`
}

func nameOf(n scope.Name) shownName {
	return shownName{n.Context.String(), n.Family.String(), n.Key.String()}
}

// told is an entry's name as people read it, CONTEXT/FAMILY/KEY. Parts that would not be told apart so are in quotes.
func told(n scope.Name) string {
	parts := []string{n.Context.String(), n.Family.String(), n.Key.String()}
	for i, p := range parts {
		if strings.ContainsFunc(p, func(r rune) bool { return r == '/' || r == '"' || unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			parts[i] = strconv.Quote(p)
		}
	}
	return strings.Join(parts, "/")
}

// doubtful says what is odd about a family that COMET programs do not know; empty where they do. Heads take any.
func doubtful(f scope.Family) string {
	kind, group := f.Split()
	if slices.Contains(scope.InstanceFamilies(), f) || group != "" {
		return ""
	}
	if slices.Contains([]string{"hosts", "pubkeys", "tokens"}, kind) {
		return fmt.Sprintf("%q is no family that COMET programs know; %s need a group's name behind, as in %sall", kind, kind, kind)
	}
	return fmt.Sprintf("%q is no family that COMET programs know, such as users, scripts or hostsall", f.String())
}
