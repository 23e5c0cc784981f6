package vms

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ExitError is how a script in a VM ended that did not end well. Status 124: it took too long.
type ExitError struct {
	Status int
	Output string
}

// Error shows the end of the output.
func (e *ExitError) Error() string {
	out := strings.TrimSpace(e.Output)
	if more := len(out) - maxShown; more > 0 {
		out = "… " + out[more:]
	}
	return fmt.Sprintf("exit status %d: %s", e.Status, out)
}

const maxShown = 2000

// Why there is no answer.
var (
	errGone = errors.New("the VM is gone")
	errAnew = errors.New("the VM started anew")
)

// shell runs scripts in a VM, one at a time, through a port of its own; image/shell is the other end.
type shell struct {
	port *os.File

	mu     sync.Mutex
	boot   string        // the boot id of the system that answers
	booted chan struct{} // closed when another one does
	asked  int
	answer map[string]chan result
	gone   error
}

type result struct {
	status int
	output string
	err    error
}

func newShell(port *os.File) *shell {
	s := &shell{port: port, booted: make(chan struct{}), answer: map[string]chan result{}}
	go s.read()
	return s
}

// read takes what the VM says: "ready BOOT", and "ID STATUS OUTPUT".
func (s *shell) read() {
	r := bufio.NewReader(s.port)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			s.end(errGone)
			s.port.Close()
			return
		}
		switch f := strings.Fields(line); {
		case len(f) == 2 && f[0] == "ready":
			s.ready(f[1])
		case len(f) >= 2:
			s.take(f)
		}
	}
}

func (s *shell) ready(boot string) {
	s.drop(errAnew)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.boot = boot
	close(s.booted)
	s.booted = make(chan struct{})
}

func (s *shell) take(f []string) {
	var r result
	r.status, r.err = strconv.Atoi(f[1])
	if len(f) > 2 && r.err == nil {
		var out []byte
		out, r.err = base64.StdEncoding.DecodeString(f[2])
		r.output = string(out)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.answer[f[0]]; c != nil {
		c <- r
		delete(s.answer, f[0])
	}
}

// drop ends what waits for an answer that will not come.
func (s *shell) drop(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.answer {
		c <- result{err: err}
		delete(s.answer, id)
	}
}

func (s *shell) end(err error) {
	s.drop(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = err
	close(s.booted)
}

// wait waits until a system answers that is not the one with this boot id, and returns its boot id.
func (s *shell) wait(ctx context.Context, not string) (boot string, err error) {
	for {
		s.mu.Lock()
		boot, booted, gone := s.boot, s.booted, s.gone
		s.mu.Unlock()
		switch {
		case gone != nil:
			return "", gone
		case boot != not:
			return boot, nil
		}
		select {
		case <-booted:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// run runs a bash script as root and returns what it said on both outputs. A script that is still at work when the context ends is
// ended too, if the context has a deadline, else after a minute.
func (s *shell) run(ctx context.Context, script string) (string, error) {
	limit := time.Minute
	if end, ok := ctx.Deadline(); ok {
		limit = time.Until(end)
	}
	s.mu.Lock()
	if s.gone != nil {
		s.mu.Unlock()
		return "", s.gone
	}
	s.asked++
	id, answer := strconv.Itoa(s.asked), make(chan result, 1)
	s.answer[id] = answer
	s.mu.Unlock()
	s.port.SetWriteDeadline(time.Now().Add(limit)) // which a socket has
	_, err := fmt.Fprintf(s.port, "%s %d %s\n", id, int(math.Ceil(limit.Seconds())), base64.StdEncoding.EncodeToString([]byte(script)))
	if err != nil {
		return "", err
	}
	select {
	case r := <-answer:
		if r.err == nil && r.status != 0 {
			r.err = &ExitError{r.status, r.output}
		}
		return r.output, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
