package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/quickstart"
	"github.com/renci-nrig/comet-go/cmd/internal/vms"
)

// realVMs is what the story needs for real VMs, nil where they are not asked for.
func realVMs(c *urfave.Context, dir string) (*quickstart.VMs, error) {
	if !c.Bool("vms") {
		return nil, nil
	}
	cache, err := vms.DefaultCache()
	if err != nil {
		return nil, err
	}
	if err := vms.Missing(cache); err != nil {
		return nil, err
	}
	guest := c.String("guest")
	if guest == "" {
		if guest, err = findGuest(c.Context, dir); err != nil {
			return nil, err
		}
	}
	if err := runsInVMs(guest); err != nil {
		return nil, cli.Input(err)
	}
	return &quickstart.VMs{Cache: cache, Guest: guest, Progress: progress(c)}, nil
}

// progress shows how much of something long is done, and of the next thing after it.
func progress(c *urfave.Context) func(what string, done, total int) {
	bars := map[string]*cli.Progress{}
	return func(what string, done, total int) {
		if bars[what] == nil {
			bars[what] = cli.NewProgress(c, what)
		}
		bars[what].Step(done, total)
		if done == total {
			bars[what].End()
		}
	}
}

// findGuest returns the program comet-guest: the one beside this program; the one of the repository that one is in, newly built; the
// one in PATH.
func findGuest(ctx context.Context, dir string) (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "comet-guest")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	if inRepository(ctx) {
		return buildGuest(ctx, dir)
	}
	if path, err := exec.LookPath("comet-guest"); err == nil {
		return path, nil
	}
	return "", cli.Usage("name it with --guest FILE, or run this in the repository", "there is no comet-guest beside this program or in PATH")
}

const module = "github.com/renci-nrig/comet-go"

func inRepository(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "list", "-m").Output()
	return err == nil && strings.TrimSpace(string(out)) == module
}

func buildGuest(ctx context.Context, dir string) (string, error) {
	guest := filepath.Join(dir, "comet-guest")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", guest, module+"/cmd/comet-guest")
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build of comet-guest: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return guest, nil
}

// runsInVMs is an error where a file is no program for the VMs, which are all of one kind.
func runsInVMs(guest string) error {
	f, err := elf.Open(guest)
	if format := new(elf.FormatError); errors.As(err, &format) || err == nil && f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("%s is no program for Linux on amd64", guest)
	}
	if err != nil {
		return err
	}
	return f.Close()
}
