package cli_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
)

func TestCodeTellsWhoseFaultItIs(t *testing.T) {
	below := func(err error) error { return cli.Input(fmt.Errorf("token file t.json: %w", err)) }
	for name, tt := range map[string]struct {
		err  error
		code int
	}{
		"what somebody gave":      {below(errors.New("makes no sense")), cli.ExitInput},
		"a file that is missing":  {below(unix.ENOENT), cli.ExitInput},
		"interrupted on the way":  {below(context.Canceled), cli.ExitFailed},
		"out of time on the way":  {below(context.DeadlineExceeded), cli.ExitFailed},
		"a full disk":             {below(unix.ENOSPC), cli.ExitFailed},
		"heads that do not speak": {&comet.HeadsError{Op: "list", Heads: []*comet.Error{{Head: "https://a", Err: context.DeadlineExceeded}}}, cli.ExitNoHead},
	} {
		assert.Equal(t, tt.code, cli.Code(tt.err), name)
	}
}

func TestOneLineSaysOnceThatItWasInterrupted(t *testing.T) {
	err := errors.Join(fmt.Errorf("delete a: %w", context.Canceled), fmt.Errorf("delete b: %w", context.Canceled), errors.New("c stays"))
	assert.Equal(t, "interrupted; c stays", cli.OneLine(err))
	assert.Equal(t, "lock: --timeout is over", cli.OneLine(fmt.Errorf("lock: %w", context.DeadlineExceeded)))
}

func TestOneLineTellsATerminalNothing(t *testing.T) {
	assert.Equal(t, "open a�[2J b: no such file", cli.OneLine(errors.New("open a\x1b[2J\tb: no such file")))
}
