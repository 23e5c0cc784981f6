package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// text is what is printed: where it was measured, and the tables, in Markdown, so that they can be shown as they are.
func (r *report) text(tables []table) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.On)
	if r.Short {
		fmt.Fprintln(&b, "With -short: the figures mean little.")
	}
	for _, t := range tables {
		fmt.Fprintf(&b, "\n%s:\n\n%s", t.title, r.table(t))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Missing)) {
		fmt.Fprintf(&b, "\nNot measured, %s: %s.\n", name, r.Missing[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(&b, "\nNot measured in full, %s: it failed.\n", name)
	}
	return b.String()
}

// table has the rows that ran, and those whose suite could not. A column in which nothing stands is left out.
func (r *report) table(t table) string {
	columns := slices.DeleteFunc(slices.Clone(t.columns), func(c column) bool {
		return !slices.ContainsFunc(t.rows, func(of row) bool { return len(r.values(of, c.unit)) > 0 })
	})
	head := []string{t.rowsAre}
	if t.against != "" {
		head = append(head, t.against)
	}
	for _, c := range columns {
		head = append(head, c.head)
	}
	lines := [][]string{head}
	for _, of := range t.rows {
		if !r.shows(of) {
			continue
		}
		cells := []string{of.label}
		if t.against != "" {
			cells = append(cells, of.against)
		}
		for _, c := range columns {
			cells = append(cells, cell(r.values(of, c.unit), c.digits))
		}
		lines = append(lines, cells)
	}
	if len(lines) == 1 {
		return "Nothing of it was measured.\n"
	}
	return markdown(lines)
}

func (r *report) shows(of row) bool {
	return r.Results[of.suite+" "+of.bench] != nil || r.Missing[of.suite] != "" || r.Failed[of.suite] != ""
}

// cell is the median, and in brackets the lowest and the highest where they differ from it as they are printed.
func cell(sorted []float64, digits int) string {
	if len(sorted) == 0 {
		return "–"
	}
	low, middle, high := number(sorted[0], digits), number(median(sorted), digits), number(sorted[len(sorted)-1], digits)
	if low == high {
		return middle
	}
	return fmt.Sprintf("%s (%s–%s)", middle, low, high)
}

func number(value float64, digits int) string { return strconv.FormatFloat(value, 'f', digits, 64) }

// markdown is a table whose first line is its head, aligned for people who read it as it is.
func markdown(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, cells := range lines {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for n, cells := range lines {
		for i, c := range cells {
			fmt.Fprintf(&b, "| %s%s ", c, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)))
		}
		fmt.Fprintln(&b, "|")
		if n == 0 {
			for _, w := range widths {
				fmt.Fprintf(&b, "| %s ", strings.Repeat("-", w))
			}
			fmt.Fprintln(&b, "|")
		}
	}
	return b.String()
}
