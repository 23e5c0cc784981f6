package cli

import (
	"encoding/json"
	"fmt"
	"io"
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
	switch c.String(flagOutput) {
	case "table", "":
		t := table()
		if len(t.Rows) == 0 && t.Empty != "" {
			_, err := fmt.Fprintln(c.App.ErrWriter, t.Empty)
			return err
		}
		return t.Write(c.App.Writer)
	case "json":
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(data)
	case "yaml":
		text, err := yaml.Marshal(data)
		if err == nil {
			_, err = c.App.Writer.Write(text)
		}
		return err
	}
	return Usage("give table, json or yaml", "--%s %q is no form of output", flagOutput, c.String(flagOutput))
}

// CheckOutput refuses a wrong --output before anything is done.
func CheckOutput(c *cli.Context) error {
	switch c.String(flagOutput) {
	case "table", "json", "yaml", "":
		return nil
	}
	return Usage("give table, json or yaml", "--%s %q is no form of output", flagOutput, c.String(flagOutput))
}

// Write prints the table with aligned columns. Control characters in cells are shown, not sent to the terminal.
func (t Table) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(t.Header) > 0 {
		fmt.Fprintln(tw, strings.Join(t.Header, "\t"))
	}
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Cell(cell)
		}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return tw.Flush()
}

// maxCell keeps a table readable.
const maxCell = 72

// Cell is text as it may stand in a table: on one line, of bearable length, harmless to a terminal.
func Cell(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, strings.TrimRight(text, "\n"))
	if runes := []rune(text); len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return text
}
