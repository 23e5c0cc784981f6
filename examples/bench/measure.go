package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench runs suites.
type bench struct {
	short  bool
	stderr io.Writer
	module string // the folder of the module
	bin    string // the folder of the built tests
}

func newBench(ctx context.Context, short bool, stderr io.Writer) (*bench, error) {
	text, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	module, dir, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if err != nil || module != "github.com/renci-nrig/comet-go" {
		return nil, errors.New("run it in a checkout of comet-go, where the benchmarks are: go run ./examples/bench")
	}
	bin, err := os.MkdirTemp("", "comet-bench-")
	if err != nil {
		return nil, err
	}
	return &bench{short, stderr, dir, bin}, nil
}

func (b *bench) close() { os.RemoveAll(b.bin) }

// measure runs all rounds of all suites, the rounds one after the other, so that each figure meets several moments of the machine. A
// suite that fails, or lacks something, is noted, and the others go on.
func (b *bench) measure(ctx context.Context, plan []suite) (*report, error) {
	r := newReport(ctx, b.module, b.short)
	plan = slices.DeleteFunc(plan, func(s suite) bool {
		if s.needs == "" {
			return false
		}
		_, err := exec.LookPath(s.needs)
		if err != nil {
			r.Missing[s.name] = fmt.Sprintf("there is no program %s: install the package %s", s.needs, s.debian)
		}
		return err != nil
	})
	if err := b.build(ctx, plan); err != nil {
		return nil, err
	}
	began := time.Now()
	p := newProgress(b.stderr, plan)
	defer p.end()
	for round := 0; p.left(); round++ {
		for _, s := range plan {
			if round >= s.rounds {
				continue
			}
			finish := p.start(s, round)
			err := b.round(ctx, s, r.take(s))
			finish()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				r.Failed[s.name] = err.Error()
			}
		}
	}
	r.On.LoadAfter, r.On.Took = load(), time.Since(began).Round(time.Second).String()
	return r, nil
}

// build builds the tests of the suites, so that nothing is compiled while something is measured.
func (b *bench) build(ctx context.Context, plan []suite) error {
	args := []string{"test", "-c", "-o", b.bin + string(filepath.Separator)}
	for _, s := range plan {
		if pkg := "./" + s.pkg; !slices.Contains(args, pkg) {
			args = append(args, pkg)
		}
	}
	if len(plan) == 0 {
		return nil
	}
	fmt.Fprintln(b.stderr, "bench: building")
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = b.module
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmarks: %w\n%s", err, text)
	}
	return nil
}

// round runs a suite once and hands on each line that it prints.
func (b *bench) round(ctx context.Context, s suite, take func(line string)) error {
	args := []string{"-test.run", "^$", "-test.bench", s.bench, "-test.benchtime", s.times, "-test.timeout", "10m"}
	if b.short {
		args = append(args, "-test.short")
	}
	c := exec.CommandContext(ctx, filepath.Join(b.bin, path.Base(s.pkg)+".test"), args...)
	c.Dir, c.Env = filepath.Join(b.module, s.pkg), append(os.Environ(), s.env...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) } // with the heads that it started
	text, err := c.CombinedOutput()
	for line := range strings.Lines(string(text)) {
		take(line)
	}
	if err != nil {
		fmt.Fprintf(b.stderr, "\n%s", text)
		return fmt.Errorf("%s: %w", s.command(), err)
	}
	return nil
}
