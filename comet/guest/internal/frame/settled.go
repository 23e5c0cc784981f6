package frame

import "sync"

// Settled keeps the plan of a module that found nothing to do. It holds until somebody changes one of its files, or what heads say is
// another turn: in a large slice it costs much to find out again that all is well, and a guest looks at its machine all the time.
// The zero value keeps nothing yet. Safe for concurrent use.
type Settled struct {
	mu    sync.Mutex
	plan  Plan
	turn  int
	files string
	holds bool
}

// Get returns the plan that is kept, or else the one that anew makes of what heads say in this turn and of these files.
func (s *Settled) Get(m *Machine, turn int, files []string, anew func() (Plan, error)) (Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stamp, sure := m.Stamp(files...)
	if s.holds && sure && turn == s.turn && stamp == s.files {
		return s.plan, nil
	}
	p, err := anew()
	s.plan, s.turn, s.files = p, turn, stamp
	s.holds = err == nil && sure && len(p.Steps) == 0
	return p, err
}
