package known

import (
	"fmt"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/scope"
)

// Wanted returns the source of what a family asks of this VM: the elements of its own entry. What is wrong with one of them leaves that
// one out, with a note that names it, and is a reason to withdraw nothing that is not among the others.
func Wanted[E scope.Element](c *Context, family scope.Family) frame.Source[E] {
	return func() (w frame.Wanted[E], err error) {
		value, known := c.Own(family)
		if !known {
			return w, frame.ErrUnknown
		}
		list, err := scope.ParseList(value)
		if err != nil {
			return w, err
		}
		w.Whole = true
		for i := range list.Len() {
			e, err := scope.ElementAt[E](list, i)
			if err == nil {
				err = e.Validate()
			}
			if err != nil {
				w.Whole = false
				w.Notes = append(w.Notes, frame.Note{Kind: frame.LeftOut, About: about(family, e, i), Why: frame.OneLine(err.Error())})
				continue
			}
			w.Elements = append(w.Elements, e)
		}
		return w, nil
	}
}

// about names an element by what it is found by, as far as that can be told.
func about(family scope.Family, e scope.Element, i int) string {
	const longest = 60
	if key := e.ElementKey(); key != "" && len(key) <= longest {
		return frame.OneLine(family.String() + " " + key)
	}
	return fmt.Sprintf("%s, element %d", family, i)
}
