package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/comet"
)

// The exit codes, the same for every command.
const (
	ExitDone         = 0
	ExitFailed       = 1
	ExitInput        = 2
	ExitNotFound     = 3
	ExitRefused      = 4
	ExitNoHead       = 5
	ExitWouldChange  = 6
	ExitWaitedInVain = 7
)

// ExitCodes is the section of each --help that lists them.
const ExitCodes = `EXIT CODES:
   0  done                             4  refused: a token, or trust between us and every head
   1  failed                           5  no head could do it
   2  wrong usage or bad input         6  something would change
   3  not found, or wrong read token   7  waited in vain
`

// ErrWouldChange ends a command that only looked, and found something to do.
var ErrWouldChange = errors.New("nothing was changed yet")

// ErrNotFound ends a command whose answer is that there is no such thing.
var ErrNotFound = errors.New("not found")

// ErrWaitedInVain ends a command whose time was over before what it waited for had come.
var ErrWaitedInVain = errors.New("waited in vain")

// removalCodes is said below them where a command removes.
const removalCodes = `   Removing what is not there is 0 as well, so that it may be repeated; what is printed tells the two apart.
`

// inputError is wrong usage or bad input, with what to do about it.
type inputError struct {
	err  error
	hint string
}

func (e *inputError) Error() string {
	if e.hint == "" {
		return e.err.Error()
	}
	return e.err.Error() + "; " + e.hint
}

func (e *inputError) Unwrap() error { return e.err }

// Usage is an error about how the command was called, with a hint.
func Usage(hint, format string, args ...any) error {
	return &inputError{fmt.Errorf(format, args...), hint}
}

// Input marks an error as one of what the user gave: a file, a field, a flag.
func Input(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err: err}
}

// overTime is why a context of Connect ended by itself.
type overTime time.Duration

func (o overTime) Error() string {
	return fmt.Sprintf("--%s %s is over", flagTimeout, time.Duration(o))
}

// Unwrap says that it is what contexts call a deadline.
func (o overTime) Unwrap() error { return context.DeadlineExceeded }

// outOfTime tells whether the command's own time is over, which says nothing about heads.
func outOfTime(err error) bool {
	_, over := errors.AsType[overTime](err)
	_, ofHeads := errors.AsType[*comet.HeadsError](err)
	return over || errors.Is(err, context.DeadlineExceeded) && !ofHeads
}

// ofMachine tells whether it is the machine that failed, wherever the file was that somebody named.
func ofMachine(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EMFILE, unix.ENFILE}, func(e error) bool { return errors.Is(err, e) })
}

// Code returns the exit code that an error stands for.
func Code(err error) int {
	var input *inputError
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, context.Canceled), outOfTime(err), ofMachine(err):
		return ExitFailed
	case errors.As(err, &input), errors.Is(err, comet.ErrInvalid):
		return ExitInput
	case errors.Is(err, ErrWouldChange):
		return ExitWouldChange
	case errors.Is(err, ErrWaitedInVain):
		return ExitWaitedInVain
	case errors.Is(err, ErrNotFound), errors.Is(err, comet.ErrNotFound):
		return ExitNotFound
	case errors.Is(err, comet.ErrUnauthorized):
		return ExitRefused
	case errors.Is(err, comet.ErrUnavailable):
		return ExitNoHead
	}
	return ExitFailed
}

// OneLine is an error as people see it: on one line, without the package's name in front, and without what a terminal would act on.
func OneLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	if errors.Is(err, context.Canceled) {
		lines[0] = "interrupted" // what follows says what was left undone, if it does
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, context.Canceled.Error()) })
	}
	if _, said := errors.AsType[overTime](err); !said && outOfTime(err) {
		for i, l := range lines {
			lines[i] = strings.ReplaceAll(l, context.DeadlineExceeded.Error(), "--"+flagTimeout+" is over")
		}
	}
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "comet: ")
	}
	text := strings.Join(lines, "; ")
	if strings.Contains(text, "Unauthorized client") {
		text += "; the head wants a client certificate that it trusts, of a subject that may create and delete; see --keystore and --cert"
	}
	return harmless(text)
}
