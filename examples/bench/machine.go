package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is what was measured on, and what was measured. What the system does not tell is "unknown", or 0.
type machine struct {
	Date       string  `json:"date"` // UTC
	CPU        string  `json:"cpu"`
	Cores      int     `json:"cores"`
	MemoryGB   float64 `json:"memoryGB"`
	Kernel     string  `json:"kernel"`
	Disk       string  `json:"disk"` // the file system on which the embedded stores are
	Go         string  `json:"go"`
	Module     string  `json:"module"`     // the version, as git describes it
	LoadBefore string  `json:"loadBefore"` // the average of a minute
	LoadAfter  string  `json:"loadAfter"`
	Took       string  `json:"took,omitempty"` // all rounds, in words
}

func thisMachine(ctx context.Context, module string) machine {
	m := machine{Date: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: load()}
	m.CPU = after(read("/proc/cpuinfo"), "model name")
	kilobytes, _, _ := strings.Cut(after(read("/proc/meminfo"), "MemTotal"), " ")
	if n, err := strconv.ParseFloat(kilobytes, 64); err == nil {
		m.MemoryGB = math.Round(n*1024/1e8) / 10
	}
	m.Kernel = said(ctx, "", "uname", "-sr")
	m.Disk = fileSystem(read("/proc/mounts"), os.TempDir())
	m.Module = said(ctx, module, "git", "describe", "--always", "--dirty", "--tags")
	return m
}

// fileSystem is the type of that on which the folder is, which the text of /proc/mounts says. Of several at one place the last one counts.
func fileSystem(mounts, folder string) string {
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		folder = real
	}
	kind, longest := unknown, 0
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		at := strings.ReplaceAll(fields[1], `\040`, " ")
		if rest, err := filepath.Rel(at, folder); err == nil && filepath.IsLocal(rest) && len(at) >= longest {
			kind, longest = fields[2], len(at)
		}
	}
	return kind
}

func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}

// after is what stands behind a name and a colon.
func after(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

const unknown = "unknown"

func said(ctx context.Context, dir, program string, args ...string) string {
	c := exec.CommandContext(ctx, program, args...)
	c.Dir = dir
	text, err := c.Output()
	if err != nil {
		return unknown
	}
	return strings.TrimSpace(string(text))
}

func load() string {
	one, _, found := strings.Cut(read("/proc/loadavg"), " ")
	if !found {
		return unknown
	}
	return one
}

func (m machine) String() string {
	took := ""
	if m.Took != "" {
		took = "It took " + m.Took + ". "
	}
	return fmt.Sprintf("Measured on %s: %s, %d cores, %.1f GB, %s, stores on %s, %s, comet-go %s.\n"+
		"Load %s before and %s after. %sMedians of the rounds, in brackets the lowest and the highest.",
		m.Date, m.CPU, m.Cores, m.MemoryGB, m.Kernel, m.Disk, m.Go, m.Module, m.LoadBefore, m.LoadAfter, took)
}
