package quickstart

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Event is one step of the story that is done.
type Event struct {
	Seconds float64 `json:"seconds"` // since the start
	What    string  `json:"what"`
}

// Story is one run.
type Story struct {
	Dir  string            // an existing empty folder; everything happens in it
	Tell func(Event)       // called as things happen, one call at a time
	Show func(t cli.Table) // called with what there is to look at, after the event that it belongs to

	VMs *VMs // nil: a guest per VM runs here, below a folder

	start  time.Time
	log    *slog.Logger
	logTo  *os.File
	certs  tlsconfig.Development
	trust  *tlsconfig.Live
	store  server.Store
	heads  []*head
	conn   *cli.Connection
	slice  orca.Slice
	tokens controller.Tokens
	vms    []*vm
}

// Run tells the whole story and undoes what would outlive it. The error names the step that did not have its effect.
func (s *Story) Run(ctx context.Context) (err error) {
	s.start = time.Now()
	defer s.end()
	steps := s.steps()
	if s.VMs != nil {
		steps = s.realSteps()
	}
	for _, step := range steps {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// step is a part of the story.
type step struct {
	name string
	do   func(context.Context) error
}

// steps is the story with guests that run here.
func (s *Story) steps() []step {
	return []step{
		{"start the heads", s.startHeads},
		{"connect as the controller does", s.connect},
		{"create the slice", s.createSlice},
		{"generate the VMs' families", s.generate},
		{"bring up the guests", s.bringUp},
		{"wait until every guest knows the others", s.waitForAll},
		{"look at the guests", s.showGuests},
		{"look at what each token shows", s.showTokens},
		{"stop a head", s.stopHead},
		{"add a VM through the other head", s.addVM},
		{"wait until every guest knows the new one", s.waitForAll},
		{"look at the guests", s.showGuests},
		{"withdraw the slice", s.withdraw},
		{"see that nothing is left", s.seeNothing},
	}
}

// end stops what is still running.
func (s *Story) end() {
	for _, v := range s.vms {
		v.stop()
	}
	if s.conn != nil {
		s.conn.Close()
	}
	for _, h := range s.heads {
		h.stop()
	}
	s.closeStore()
	if s.logTo != nil {
		s.logTo.Close()
	}
}

func (s *Story) tell(format string, args ...any) {
	s.Tell(Event{Seconds: time.Since(s.start).Seconds(), What: fmt.Sprintf(format, args...)})
}

func (s *Story) path(parts ...string) string {
	return filepath.Join(append([]string{s.Dir}, parts...)...)
}
