package scripts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/scope"
)

// journal is what became of scripts. It is synced before a script begins, and when it has ended.
type journal []record

// record is what became of one script.
type record struct {
	Name  string    `json:"name"`
	Hash  string    `json:"hash"` // SHA-256 of its body
	State state     `json:"state"`
	Exit  int       `json:"exit,omitempty"`
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	Boot  string    `json:"boot,omitempty"` // the boot of the machine in which it began
	Unit  string    `json:"unit,omitempty"` // the systemd unit that runs it
	Runs  int       `json:"runs,omitempty"`
}

type state string

const (
	running     state = "running" // or about to begin
	ended       state = "ended"
	interrupted state = "interrupted"
	timedOut    state = "timed out"
	before      state = "before" // an older tool has run it
)

func (r record) id() [2]string { return [2]string{r.Name, r.Hash} }

func (r record) text() string { return "script " + frame.OneLine(r.Name) }

// well reports whether a script has done what it was put down for.
func (r record) well() bool { return r.State == before || r.State == ended && r.Exit == 0 }

// maxRuns is how often one is run that is cut short each time: it may be the reason.
const maxRuns = 3

// again reports whether a script is to be run once more: it was cut short, or it is certain that it has not begun.
func (s *Scripts) again(r record) (bool, error) {
	if r.State != running {
		return s.Rerun && r.State == interrupted && r.Runs < maxRuns, nil
	}
	begun, err := s.begun(r)
	return !begun, err
}

// note says what people should know of a script that is not run any more, and has not ended well.
func (s *Scripts) note(r record) frame.Note {
	log := "; its output is in " + filepath.Join(s.path(r), r.log())
	n := frame.Note{Kind: frame.Failed, About: r.text()}
	switch r.State {
	case running:
		n.Kind, n.Why = frame.Waiting, "is running since "+r.Began.UTC().Format(time.RFC3339)
	case ended:
		n.Why = fmt.Sprintf("ended with status %d%s", r.Exit, log)
	case timedOut:
		n.Why = "took too long and was ended" + log
	default:
		n.Why = "was cut short" + times(r.Runs) + ", and is not run again" + log
	}
	return n
}

func times(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf(" %d times", n)
}

// folder is where a script lies, below the state of the instance.
func (r record) folder() string { return "scripts/" + slug(r.Name) }

// log is the file there with its output.
func (r record) log() string { return slug(r.Name) + ".log" }

const journalFile = "scripts.json"

func (k keeper) journal() (j journal, err error) {
	_, err = k.machine.Load(journalFile, &j)
	return j, err
}

// update changes the journal. Another guest, such as one that is asked to make a single pass, may want to at the same time.
func (k keeper) update(r record, change func(*record)) error {
	lock := filepath.Join(k.machine.Root().Name(), k.machine.State("scripts.lock"))
	if err := k.machine.MakeFolder(k.machine.State(""), 0o700); err != nil {
		return err
	}
	unlock, err := atomicfile.Lock(context.Background(), lock)
	if err != nil {
		return err
	}
	defer unlock()
	j, err := k.journal()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(j, func(have record) bool { return have.id() == r.id() })
	if i < 0 {
		j, i = append(j, r), len(j)
	}
	change(&j[i])
	return k.machine.Save(journalFile, j)
}

func (j journal) find(w script) (record, bool) {
	i := slices.IndexFunc(j, func(r record) bool { return r.Name == w.name && r.Hash == w.hash })
	if i < 0 {
		return record{}, false
	}
	return j[i], true
}

// knows reports whether some script of that name is in the journal.
func (j journal) knows(name string) bool {
	return slices.ContainsFunc(j, func(r record) bool { return r.Name == name })
}

// marked reports whether an older tool has run a script of that name.
func (s *Scripts) marked(name string) bool {
	info, err := s.machine.Root().Lstat(filepath.Join(s.OldState, name))
	return err == nil && info.Mode().IsRegular()
}

// adopt is the step that notes that a script ran before.
func (s *Scripts) adopt(w script) frame.Step {
	r := record{Name: w.name, Hash: w.hash}
	return frame.Step{Text: "note that an older tool has run " + r.text(), Do: func(context.Context) error {
		return s.update(r, func(r *record) { r.State = before })
	}}
}

func newScript(e scope.Script) script {
	body := strings.TrimSpace(e.Body.Reveal())
	sum := sha256.Sum256([]byte(body))
	return script{name: e.Name, hash: hex.EncodeToString(sum[:]), body: scope.Hide(body)}
}

// slug is a name as that of a folder and of a unit. What is no plain name gets a part of its hash.
func slug(name string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(plain, r) {
			return r
		}
		return '_'
	}, name[:min(len(name), 60)])
	if safe == name {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return safe + "-" + hex.EncodeToString(sum[:4])
}
