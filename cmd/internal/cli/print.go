package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/urfave/cli/v2"
	"sigs.k8s.io/yaml"
)

// Table is what people see.
type Table struct {
	Header []string
	Rows   [][]string
	Empty  string // said to standard error in place of a table without rows
}

// Print prints data as JSON or YAML, or the table, as --output asks.
func Print(c *cli.Context, data any, table func() Table) error {
	if printed, err := printData(c, data); printed || err != nil {
		return err
	}
	return table().Print(c)
}

// Say prints data as JSON or YAML, or one line of text in place of a table, as --output asks.
func Say(c *cli.Context, data any, line string) error {
	if printed, err := printData(c, data); printed || err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.App.Writer, line)
	return err
}

// printData prints data where --output asks for it rather than for a table.
func printData(c *cli.Context, data any) (printed bool, err error) {
	switch c.String(flagOutput) {
	case "json":
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return true, e.Encode(data)
	case "yaml":
		text, err := yaml.Marshal(data)
		if err == nil {
			_, err = c.App.Writer.Write(text)
		}
		return true, err
	}
	return false, CheckOutput(c)
}

// CheckOutput refuses a wrong --output before anything is done.
func CheckOutput(c *cli.Context) error {
	switch c.String(flagOutput) {
	case "table", "json", "yaml", "":
		return nil
	}
	return Usage("give table, json or yaml", "--%s %q is no form of output", flagOutput, c.String(flagOutput))
}

// Print prints the table, or that it is empty. On a terminal long cells are shortened, which is said once.
func (t Table) Print(c *cli.Context) error {
	if len(t.Rows) == 0 && t.Empty != "" {
		_, err := fmt.Fprintln(c.App.ErrWriter, t.Empty)
		return err
	}
	most := math.MaxInt
	if isTerminal(c.App.Writer) {
		most = maxCell
	}
	shortened, err := t.write(c.App.Writer, most)
	if shortened && c.App.Metadata[saidShortened] == nil {
		c.App.Metadata[saidShortened] = true
		fmt.Fprintf(c.App.ErrWriter, "shortened; --%s json shows all\n", flagOutput)
	}
	return err
}

// saidShortened marks, in the program's metadata, that the hint was given.
const saidShortened = "shortened"

// isTerminal tells whether somebody may be looking: a device that takes characters, and is not the one that throws them away.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// Write prints the table with aligned columns. Control characters in cells are shown, not sent to the terminal.
func (t Table) Write(w io.Writer) error {
	_, err := t.write(w, math.MaxInt)
	return err
}

// write also cuts cells to a length, and tells whether it did.
func (t Table) write(w io.Writer, most int) (shortened bool, err error) {
	var b strings.Builder
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	columns := len(t.Header)
	for _, row := range t.Rows {
		columns = max(columns, len(row))
	}
	if len(t.Header) > 0 {
		header := make([]string, len(t.Header)) // which may be names that others gave
		for i, text := range t.Header {
			header[i] = harmless(text)
		}
		fmt.Fprintln(tw, strings.Join(header, "\t"))
	}
	for _, row := range t.Rows {
		cells := make([]string, columns) // as many in each row, or columns are not aligned
		for i, text := range row {
			cells[i] = harmless(text)
			if runes := []rune(cells[i]); len(runes) > most {
				cells[i], shortened = string(runes[:most-1])+"…", true
			}
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	tw.Flush() // into memory
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return shortened, err
		}
	}
	return shortened, nil
}

// maxCell keeps a table readable on a terminal.
const maxCell = 72

// harmless is text as it may stand in a table: on one line, and without what a terminal would act on.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, strings.TrimRight(text, "\n"))
}
