package history

// Keys is how many entries a group has.
const Keys = 3

// Input is what a client asked for: changes, all of them or none, or a reading.
type Input struct {
	Group   int
	Changes []Change // none in a reading
	Keys    []int    // what is read; none of them: whether the group has changed since the revision that Output.Changed tells
}

// Change is what is to become of one entry.
type Change struct {
	Key   int
	Value string // what to write; empty: the entry is removed

	// It is made only where the entry is so. Zero values ask nothing.
	IfRevision uint64
	IfValue    string
	IfAbsent   bool
}

// Output is what became of it.
type Output struct {
	Outcome Outcome
	Index   int    // of the change that was refused
	Seen    []Seen // for each of Changes, as it became, or of Keys; none where nothing is told

	// Of a reading: the revision of the last change to the whole group; 0 where it is not told.
	Changed uint64
}

// Outcome is how an operation ended.
type Outcome int

// The outcomes.
const (
	Done     Outcome = iota
	Unknown          // it may have been carried out, or may be later
	Gone             // of a removal: done, or there was nothing
	Differs          // refused: the entry at Index was not as the condition wants it
	NotThere         // refused: there was nothing to remove at Index
)

// Seen is an entry as somebody saw it.
type Seen struct {
	Value    string // empty: there is nothing
	Revision uint64 // of the change that left it so; 0 where it is not told
	Created  *bool  // by the change; nil where it is not told
}
