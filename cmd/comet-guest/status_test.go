package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/guest/service"
)

// What is waited for is that heads have said what is wanted and that every module has come to an end, which need not be a good one.
func TestWhatIsWaitedFor(t *testing.T) {
	failed, running := guest.Note{Kind: "failed", About: "script a", Why: "ended with status 3"}, guest.Note{Kind: "waiting", About: "script b", Why: "is running"}
	heard := guest.ContextStatus{Context: "slice", Key: "own", Heard: time.Now()}
	for name, tt := range map[string]struct {
		context          guest.ContextStatus
		module           guest.ModuleStatus
		lacking, verdict string
	}{
		"all is well":              {heard, guest.ModuleStatus{State: guest.StateOK}, "", ""},
		"wrong input is left out":  {heard, guest.ModuleStatus{State: guest.StateOK, Notes: []guest.Note{{Kind: "left out"}}}, "", ""},
		"no head has been heard":   {guest.ContextStatus{Context: "slice", Key: "own"}, guest.ModuleStatus{State: guest.StateOK}, "no head of context slice, key own has answered yet", ""},
		"nobody has said anything": {heard, guest.ModuleStatus{State: guest.StateUnknown, Error: "not known yet"}, "m is unknown: not known yet", ""},
		"something is observed":    {heard, guest.ModuleStatus{State: guest.StatePending}, "m is pending", ""},
		"something is under way": {heard, guest.ModuleStatus{State: guest.StatePending, Notes: []guest.Note{{Kind: "left out"}, running}},
			"m is pending: script b: is running", ""},
		"it is tried again": {heard, guest.ModuleStatus{State: guest.StateFailed, Error: "broken"}, "m is failed: broken", "m has failed: broken"},
		"what heads say is not believed": {heard, guest.ModuleStatus{State: guest.StateDoubted, Notes: []guest.Note{{Kind: "doubted", About: "hostsall", Why: "it is empty"}}},
			"m is doubted: hostsall: it is empty", "m is in doubt: hostsall: it is empty"},
		"a script failed, another goes on": {heard, guest.ModuleStatus{State: guest.StateFailed, Notes: []guest.Note{failed, running}},
			"m is failed: script a: ended with status 3", "m has failed: script a: ended with status 3"},
		"the last script failed": {heard, guest.ModuleStatus{State: guest.StateFailed, Notes: []guest.Note{failed}},
			"", "m has failed: script a: ended with status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.module.Name = "m"
			st := service.Status{State: service.StateRunning, Status: guest.Status{Contexts: []guest.ContextStatus{tt.context}, Modules: []guest.ModuleStatus{tt.module}}}
			assert.Equal(t, tt.lacking, lacking(st, nil))
			if tt.verdict == "" {
				assert.NoError(t, verdict(st))
			} else {
				assert.EqualError(t, verdict(st), tt.verdict)
			}
		})
	}
}

// Nobody waits for what is never counted.
func TestWhatIsNotWaitedFor(t *testing.T) {
	for want, m := range map[string]guest.ModuleStatus{
		"":                                       {State: guest.StatePending},
		"users is off: it will never be counted": {State: guest.StateOff},
		"users is not here: it will never be counted":      {State: guest.StateNotHere},
		"users is only observed: it will never be counted": {State: guest.StatePending, Mode: guest.Observe, Count: 1},
	} {
		m.Name = "users"
		st := service.Status{State: service.StateRunning, Status: guest.Status{Modules: []guest.ModuleStatus{m}}}
		err := possible(st, []goal{{"users", 2}})
		if want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, want)
			assert.Equal(t, cli.ExitInput, cli.Code(err))
		}
		assert.NoError(t, possible(st, []goal{{"users", 0}}))
	}
}
