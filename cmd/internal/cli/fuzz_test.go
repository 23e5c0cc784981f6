package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzTable: whatever others gave as names and values, a table has a line for each row, and nothing that a terminal acts on.
func FuzzTable(f *testing.F) {
	f.Add("NAME\x1b[2J", "\x1b]0;x\x07\n", "\u009b1m")
	f.Add("a\tb\n", "\u202ea\v\f", "\xff")
	f.Add("", "\n\n", " ")
	f.Fuzz(func(t *testing.T, name, value, other string) {
		var out bytes.Buffer
		table := cli.Table{Header: []string{"KEY", name}, Rows: [][]string{{"k", value}, {"l", other, value}, {"m"}}}
		require.NoError(t, table.Write(&out))
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		require.Len(t, lines, 4)
		for _, line := range lines {
			plant.RequireLine(t, line)
		}
	})
}
