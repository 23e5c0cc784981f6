package history

import (
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Recorder keeps what happened. Safe for concurrent use.
type Recorder struct {
	began time.Time

	mu         sync.Mutex
	operations []porcupine.Operation
	unknown    int
}

// Start returns a recorder.
func Start() *Recorder { return &Recorder{began: time.Now()} }

// Add adds an operation of a client, from 0, that was called and returned at these moments. One whose outcome is Unknown never returned.
func (r *Recorder) Add(client int, in Input, out Output, called, returned time.Time) {
	o := porcupine.Operation{
		ClientId: client,
		Input:    in, Call: called.Sub(r.began).Nanoseconds(),
		Output: out, Return: returned.Sub(r.began).Nanoseconds(),
	}
	if out.Outcome == Unknown {
		o.Return = never
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, o)
	if out.Outcome == Unknown {
		r.unknown++
	}
}

// Count returns how many operations there are, and how many of them nobody answered.
func (r *Recorder) Count() (all, unknown int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.operations), r.unknown
}
