package orca

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// sliceReader takes the JSON of a slice file apart and keeps the first error. encoding/json would take hostname for hostName and
// could not say which VM has a member too many.
type sliceReader struct {
	source string // the file as it was written
	err    error
}

func (r *sliceReader) slice(raw json.RawMessage) Slice {
	m := r.object("", raw, "sliceId", "groups", "vms")
	s := Slice{ID: name(r, "sliceId", m["sliceId"], scope.ParseContextID)}
	for i, group := range r.array("groups", m["groups"]) {
		s.Groups = append(s.Groups, r.text(fmt.Sprintf("groups[%d]", i), group))
	}
	for i, vm := range r.array("vms", m["vms"]) {
		s.VMs = append(s.VMs, r.vm(fmt.Sprintf("vms[%d]", i), vm))
	}
	return s
}

func (r *sliceReader) vm(at string, raw json.RawMessage) VM {
	m := r.object(at, raw, "hostName", "reservationId", "type", "properties", "userData", "publicIp")
	return VM{
		HostName:      r.text(at+".hostName", m["hostName"]),
		ReservationID: name(r, at+".reservationId", m["reservationId"], scope.ParseKey),
		Type:          r.text(at+".type", m["type"]),
		Properties:    r.text(at+".properties", m["properties"]),
		UserData:      r.text(at+".userData", m["userData"]),
		PublicIP:      r.text(at+".publicIp", m["publicIp"]),
	}
}

func (r *sliceReader) fail(line int, at, format string, args ...any) {
	if r.err == nil {
		r.err = &LineError{Line: line, Field: at, Reason: fmt.Sprintf(format, args...)}
	}
}

// object returns the members of an object, all of which must be known and there once.
func (r *sliceReader) object(at string, raw json.RawMessage, known ...string) map[string]json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		r.fail(0, at, "is not an object with the members %s", strings.Join(known, ", "))
		return nil
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, _ := d.Token() // raw is valid JSON
		member, _ := t.(string)
		if !slices.Contains(known, member) {
			if r.err == nil { // there could be thousands, and each would be looked for in all of the file
				r.unknown(at, member, known)
			}
			return nil
		}
		if _, twice := members[member]; twice {
			r.fail(0, within(at, member), "is there twice")
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		members[member] = value
	}
	return members
}

// unknown names a member that is unknown only where it is like one that is known, or a word: what was pasted in the wrong place may be a
// secret.
func (r *sliceReader) unknown(at, member string, known []string) {
	all := strings.Join(known, ", ")
	if word.MatchString(member) || len(member) <= 32 && slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, joints.Replace(member)) }) {
		r.fail(r.lineOf(member), within(at, member), "is unknown; known are %s", all)
		return
	}
	r.fail(r.lineOf(member), at, "has a member that is unknown; known are %s", all)
}

var (
	word   = regexp.MustCompile(`^[A-Za-z]{1,32}$`)
	joints = strings.NewReplacer("-", "", "_", "")
)

func within(at, member string) string {
	if at == "" {
		return member
	}
	return at + "." + member
}

// lineOf returns the line on which the file names a member, where there is but one such line.
func (r *sliceReader) lineOf(member string) int {
	names := regexp.MustCompile(`(^|[\s{\[,"'-])` + regexp.QuoteMeta(member) + `["']?\s*:`)
	found, number := 0, 0
	for line := range strings.Lines(r.source) {
		number++
		switch {
		case !names.MatchString(line):
		case found > 0:
			return 0
		default:
			found = number
		}
	}
	return found
}

func (r *sliceReader) array(at string, raw json.RawMessage) []json.RawMessage {
	var elements []json.RawMessage
	if raw != nil && json.Unmarshal(raw, &elements) != nil {
		r.fail(0, at, "is not a list")
	}
	return elements
}

// text returns a JSON string; null and no member at all are none.
func (r *sliceReader) text(at string, raw json.RawMessage) string {
	var s string
	if raw != nil && json.Unmarshal(raw, &s) != nil {
		r.fail(0, at, "is not text; put it in quotes")
	}
	return s
}

// name returns one of scope's names; none where there is no text, which Validate judges.
func name[T any](r *sliceReader, at string, raw json.RawMessage, parse func(string) (T, error)) T {
	var none T
	s := r.text(at, raw)
	if s == "" {
		return none
	}
	n, err := parse(s)
	if err != nil {
		r.fail(0, at, "%v", reason(err))
	}
	return n
}
