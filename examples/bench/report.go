package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// report is what came out, and is what the JSON file holds.
type report struct {
	On      machine                         `json:"measuredOn"`
	Short   bool                            `json:"short,omitempty"`    // so that the figures mean little
	Runs    map[string]string               `json:"commands,omitempty"` // the command that repeats one round of a suite
	Missing map[string]string               `json:"missing,omitempty"`  // suites, and what they lack
	Failed  map[string]string               `json:"failed,omitempty"`   // suites, and what they said
	Results map[string]map[string][]float64 `json:"results"`            // by suite and benchmark and then by unit: a value per round
}

func newReport(ctx context.Context, module string, short bool) *report {
	return &report{On: thisMachine(ctx, module), Short: short, Runs: map[string]string{}, Missing: map[string]string{}, Failed: map[string]string{},
		Results: map[string]map[string][]float64{}}
}

// result is a line of a benchmark: its name, with the number of CPUs behind, how often it ran, and then values with their units.
var result = regexp.MustCompile(`^(Benchmark\S*?)(?:-\d+)?\s+\d+\s+(\S.*)$`)

// take returns what reads the lines that a round of a suite prints.
func (r *report) take(s suite) func(line string) {
	r.Runs[s.name] = s.command()
	return func(line string) {
		found := result.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			return
		}
		key := s.name + " " + found[1]
		for pair := range slices.Chunk(strings.Fields(found[2]), 2) {
			value, err := strconv.ParseFloat(pair[0], 64)
			if err != nil || len(pair) != 2 {
				return
			}
			if r.Results[key] == nil {
				r.Results[key] = map[string][]float64{}
			}
			r.Results[key][pair[1]] = append(r.Results[key][pair[1]], value)
		}
	}
}

// values are those of one benchmark in one unit, sorted; none where it did not run.
func (r *report) values(of row, unit string) []float64 {
	return slices.Sorted(slices.Values(r.Results[of.suite+" "+of.bench][unit]))
}

// median is that of a sorted list that is not empty.
func median(sorted []float64) float64 {
	half := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[half-1] + sorted[half]) / 2
	}
	return sorted[half]
}

// write writes figures.md, figures.json and a plot for each that has something to show, into the folder.
func (r *report) write(dir string, tables []table) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	files := map[string]string{"figures.json": string(text) + "\n", "figures.md": r.text(tables)}
	for _, t := range tables {
		for _, p := range t.plots {
			if c := r.chart(t, p); len(c.bars) > 0 {
				files[p.file] = c.svg()
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) failed() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(r.Failed)) {
		errs = append(errs, fmt.Errorf("%s: %s", name, r.Failed[name]))
	}
	return errors.Join(errs...)
}
