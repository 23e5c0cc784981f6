package history

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// model is one group as porcupine takes it.
var model = porcupine.Model{
	Init:              func() any { return state{} },
	Step:              func(s, in, out any) (bool, any) { return step(s.(state), in.(Input), out.(Output)) },
	Hash:              func(s any) uint64 { return s.(state).hash() },
	DescribeOperation: func(in, out any) string { return describe(in.(Input), out.(Output)) },
	DescribeState:     func(s any) string { return s.(state).String() },
}

// step reports whether an operation can end as it did, with the group as it is, and what the group is then. What was never answered can
// always be: the order may have it at the very end, where nobody sees it.
func step(s state, in Input, out Output) (bool, any) {
	if len(in.Changes) == 0 {
		fits := s.shows(in.Keys, out)
		return fits, s
	}
	index, why := s.refused(in.Changes)
	switch {
	case out.Outcome == Unknown || out.Outcome == Gone && why == NotThere:
		if why == Done {
			s.apply(in.Changes, nil)
		}
		return true, s
	case out.Outcome == Differs || out.Outcome == NotThere:
		return why == out.Outcome && index == out.Index, s
	}
	fits := why == Done && s.apply(in.Changes, out.Seen)
	return fits, s
}

func (s state) hash() uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, c := range s.cells {
		for i := range len(c.value) {
			h = (h ^ uint64(c.value[i])) * 1099511628211
		}
		h = (h ^ c.revision) * 1099511628211
	}
	return h
}

func (s state) String() string {
	var cells []string
	for _, c := range s.cells {
		cells = append(cells, Seen{Value: c.value}.String()+c.stamp.String())
	}
	return fmt.Sprintf("%s, changed%s", strings.Join(cells, " | "), s.changed)
}

func (s stamp) String() string {
	if s.known {
		return fmt.Sprintf(" at %d", s.revision)
	}
	return fmt.Sprintf(" after %d", s.revision)
}

func (s Seen) String() string {
	text := s.Value
	if text == "" {
		text = "-"
	}
	if s.Revision != 0 {
		text += fmt.Sprintf(" at %d", s.Revision)
	}
	if s.Created != nil && *s.Created {
		text += " created"
	}
	return text
}

func (c Change) String() string {
	text := fmt.Sprintf("%d=%s", c.Key, Seen{Value: c.Value})
	switch {
	case c.IfAbsent:
		text += " if absent"
	case c.IfRevision != 0:
		text += fmt.Sprintf(" if at %d", c.IfRevision)
	case c.IfValue != "":
		text += " if " + c.IfValue
	}
	return text
}

func (o Outcome) String() string {
	return [...]string{"done", "unknown", "gone", "differs", "not there"}[o]
}

func describe(in Input, out Output) string {
	if len(in.Changes) == 0 {
		return fmt.Sprintf("read %v: %v changed at %d", in.Keys, out.Seen, out.Changed)
	}
	text := fmt.Sprintf("%v: %v", in.Changes, out.Outcome)
	switch out.Outcome {
	case Differs, NotThere:
		return fmt.Sprintf("%s at %d", text, out.Index)
	case Done:
		return fmt.Sprintf("%s %v", text, out.Seen)
	}
	return text
}
