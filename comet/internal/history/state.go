package history

// state is what a group should be. It is a value: whoever changes it changes a copy.
type state struct {
	cells   [Keys]cell
	changed stamp
	newest  uint64 // the newest revision that anybody was told, which all later changes exceed
}

type cell struct {
	value string // empty: there is nothing
	stamp
}

// stamp is the revision of a change. Who makes a change is not always told: then it is above a revision, until somebody reads it.
type stamp struct {
	revision uint64
	known    bool
}

// is reports whether the stamp can be this revision, and if so it is from now on.
func (s *state) is(at *stamp, revision uint64) bool {
	switch {
	case revision == 0:
		return true
	case at.known:
		return at.revision == revision
	case revision <= at.revision:
		return false
	}
	*at = stamp{revision, true}
	s.newest = max(s.newest, revision)
	return true
}

// refuses says what is wrong with a change as the group is, Done where nothing is. A revision that nobody was told is none that anybody
// can ask for.
func (s *state) refuses(c Change) Outcome {
	at := s.cells[c.Key]
	there := at.value != ""
	switch {
	case there && c.IfAbsent:
		return Differs
	case !there && c.Value == "":
		return NotThere
	case c.IfRevision != 0 && (!there || !at.known || at.revision != c.IfRevision):
		return Differs
	case c.IfValue != "" && at.value != c.IfValue:
		return Differs
	}
	return Done
}

// refused is the first change that is refused and why, Done where none is.
func (s *state) refused(changes []Change) (int, Outcome) {
	for i, c := range changes {
		if why := s.refuses(c); why != Done {
			return i, why
		}
	}
	return 0, Done
}

// apply makes changes that are not refused. It reports whether that can be what was told of them.
func (s *state) apply(changes []Change, told []Seen) bool {
	this := stamp{revision: s.newest} // one for all
	changed := false
	for i, c := range changes {
		at := &s.cells[c.Key]
		var say Seen
		if told != nil {
			say = told[i]
		}
		if say.Created != nil && *say.Created != (at.value == "") {
			return false
		}
		if at.value == c.Value { // which changes nothing
			if !s.is(&at.stamp, say.Revision) {
				return false
			}
			continue
		}
		if !s.is(&this, say.Revision) {
			return false
		}
		*at, changed = cell{c.Value, this}, true
	}
	if changed {
		s.changed = this
	}
	return true
}

// shows reports whether a reading can be of this state.
func (s *state) shows(keys []int, told Output) bool {
	for i, k := range keys {
		at := &s.cells[k]
		if at.value != told.Seen[i].Value || !s.is(&at.stamp, told.Seen[i].Revision) {
			return false
		}
	}
	return s.is(&s.changed, told.Changed)
}
