package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
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
}

func thisMachine(ctx context.Context, module string) machine {
	m := machine{Date: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Go: runtime.Version(), LoadBefore: load()}
	m.CPU = after(read("/proc/cpuinfo"), "model name")
	kilobytes, _, _ := strings.Cut(after(read("/proc/meminfo"), "MemTotal"), " ")
	if n, err := strconv.ParseFloat(kilobytes, 64); err == nil {
		m.MemoryGB = math.Round(n*1024/1e8) / 10
	}
	m.Kernel = said(ctx, "", "uname", "-sr")
	m.Disk = said(ctx, "", "stat", "-f", "-c", "%T", os.TempDir())
	m.Module = said(ctx, module, "git", "describe", "--always", "--dirty", "--tags")
	return m
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
	return fmt.Sprintf("Measured on %s: %s, %d cores, %.1f GB, %s, stores on %s, %s, comet-go %s.\n"+
		"Load %s before and %s after. Medians of the rounds, in brackets the lowest and the highest.",
		m.Date, m.CPU, m.Cores, m.MemoryGB, m.Kernel, m.Disk, m.Go, m.Module, m.LoadBefore, m.LoadAfter)
}
