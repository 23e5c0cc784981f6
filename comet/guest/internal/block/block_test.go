package block_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
)

var comet = block.NEuca("comet")

func TestNEucaMarkers(t *testing.T) {
	require.Equal(t, block.Markers{
		Begin: "### BEGIN NEuca comet pubkeys modifications - DO NOT EDIT BETWEEN THESE LINES. ###",
		End:   "### END NEuca comet pubkeys modifications - DO NOT EDIT BETWEEN THESE LINES. ###",
	}, block.NEuca("comet pubkeys"))
}

// expand writes {B} and {E} out as the markers of the block "comet", {PB} and {PE} as those of "comet pubkeys".
func expand(s string) string {
	pubkeys := block.NEuca("comet pubkeys")
	return strings.NewReplacer("{B}", comet.Begin, "{E}", comet.End, "{PB}", pubkeys.Begin, "{PE}", pubkeys.End).Replace(s)
}

func TestSet(t *testing.T) {
	own := func(line string) bool { return strings.HasPrefix(line, "10.") }
	cases := []struct {
		name  string
		file  string
		lines string // separated by blanks
		want  string
	}{
		{"empty file", "", "a b", "{B}\na\nb\n{E}\n"},
		{"nothing in nothing", "", "", ""},
		{"nothing in a foreign file", "x\r\ny", "", "x\r\ny"},
		{"appended", "x\n", "a", "x\n{B}\na\n{E}\n"},
		{"appended after a line without newline", "x", "a", "x\n{B}\na\n{E}\n"},
		{"adopted in its place", "x\n{B}\nold\n{E}\ny\n", "a b", "x\n{B}\na\nb\n{E}\ny\n"},
		{"adopted at the start, y without newline", "{B}\nold\n{E}\ny", "a", "{B}\na\n{E}\ny"},
		{"withdrawn", "x\n{B}\nold\n{E}\ny", "", "x\ny"},
		{"withdrawn when empty", "x\n{B}\n{E}\n", "", "x\n"},
		{"markers without final newline", "x\n{B}\nold\n{E}", "a", "x\n{B}\na\n{E}\n"},
		{"carriage returns", "x\r\n{B}\r\nold\r\n{E}\r\ny\r\n", "a", "x\r\n{B}\na\n{E}\ny\r\n"},
		{"blanks around markers", "x\n {B}\t\nold\n\t{E} \ny\n", "a", "x\n{B}\na\n{E}\ny\n"},
		{"bytes that are no text", "\x00\xff\xfe\n{B}\n\xff\n{E}\n\x00", "a", "\x00\xff\xfe\n{B}\na\n{E}\n\x00"},
		{"similar block", "{PB}\nkey\n{PE}\n{B}\nold\n{E}\n", "a", "{PB}\nkey\n{PE}\n{B}\na\n{E}\n"},
		{"similar block only", "{PB}\nkey\n{PE}\n", "a", "{PB}\nkey\n{PE}\n{B}\na\n{E}\n"},

		{"END missing, ours end with the first foreign line", "{B}\n10.1\n10.2\nx\n10.3\n", "a", "{B}\na\n{E}\nx\n10.3\n"},
		{"END missing, nothing is ours", "{B}\nx\n10.1\n", "a", "{B}\na\n{E}\nx\n10.1\n"},
		{"END missing before the next BEGIN", "{B}\n10.1\nx\n{B}\n10.2\ny\n{E}\nz\n", "a", "{B}\na\n{E}\nx\nz\n"},
		{"END missing, withdrawn", "w\n{B}\n10.1\nx\n", "", "w\nx\n"},
		{"BEGIN missing", "x\n10.1\n{E}\ny\n", "a", "x\n10.1\ny\n{B}\na\n{E}\n"},
		{"END before BEGIN", "{E}\nx\n{B}\n", "a", "x\n{B}\na\n{E}\n"},
		{"END twice", "{B}\nold\n{E}\n{E}\nx\n", "a", "{B}\na\n{E}\nx\n"},
		{"doubled", "w\n{B}\n1\n{E}\nx\n{B}\n2\n{E}\ny\n", "a", "w\n{B}\na\n{E}\nx\ny\n"},
		{"doubled, withdrawn", "w\n{B}\n1\n{E}\nx\n{B}\n2\n{E}\ny\n", "", "w\nx\ny\n"},

		{"END glued to ours", "x\n{B}\nkey{E}\ny\n", "a", "x\n{B}\na\n{E}\ny\n"},
		{"END glued to a foreign line", "x{E}\ny\n", "a", "x\ny\n{B}\na\n{E}\n"},
		{"BEGIN glued to a foreign line", "x{B}\nold\n{E}\ny\n", "a", "x\n{B}\na\n{E}\ny\n"},
		{"BEGIN glued, withdrawn", "x{B}\nold\n{E}\n", "", "x"},
		{"foreign line glued to END", "{B}\nold\n{E}x\ny\n", "a", "{B}\na\n{E}\nx\ny\n"},
		{"line glued to BEGIN", "{B}old\n{E}\ny\n", "a", "{B}\na\n{E}\ny\n"},
		{"all on one line", "x{B}old{E}y{B}old{E}z", "a", "x\n{B}\na\n{E}\ny\nz"},
		{"markers glued to each other", "{B}\n1\n{E}{B}\n2\n{E}\n", "a", "{B}\na\n{E}\n"},
		{"commented out", "# {B}\n#1\n  # {E}\n", "a", "# {B}\n#1\n  # {E}\n{B}\na\n{E}\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file, lines := expand(c.file), strings.Fields(c.lines)
			opts := block.Options{Own: own}

			got, err := block.Set([]byte(file), comet, lines, opts)
			require.NoError(t, err)
			require.Equal(t, expand(c.want), string(got))

			again, err := block.Set(got, comet, lines, opts)
			require.NoError(t, err)
			require.Equal(t, string(got), string(again), "a second pass")
		})
	}
}

func TestSetSpaced(t *testing.T) {
	cases := []struct{ name, file, lines, want string }{
		{"empty file", "", "a", "\n{B}\na\n{E}\n\n"},
		{"appended", "x\n", "a", "x\n\n{B}\na\n{E}\n\n"},
		{"appended after a blank line", "x\n\n", "a", "x\n\n\n{B}\na\n{E}\n\n"},
		{"adopted", "x\n\n{B}\nold\n{E}\n\ny\n", "a", "x\n\n{B}\na\n{E}\n\ny\n"},
		{"adopted without blank lines", "x\n{B}\nold\n{E}\ny\n", "a", "x\n\n{B}\na\n{E}\n\ny\n"},
		{"other blank lines stay", "x\n\n\n{B}\nold\n{E}\n\n\ny\n", "", "x\n\n\ny\n"},
		{"a blank line of another system stays", "x\n\r\n{B}\nold\n{E}\n\r\n", "", "x\n\r\n\r\n"},
		{"doubled", "x\n\n{B}\n1\n{E}\n\n\n{B}\n2\n{E}\n\ny\n", "a", "x\n\n{B}\na\n{E}\n\ny\n"},
		{"after a stray END the blank line is foreign", "{E}\n\nx\n", "", "\nx\n"},
		{"withdrawn from a file of its own", "\n{B}\nold\n{E}\n\n", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lines, opts := strings.Fields(c.lines), block.Options{Spaced: true}

			got, err := block.Set([]byte(expand(c.file)), comet, lines, opts)
			require.NoError(t, err)
			require.Equal(t, expand(c.want), string(got))

			again, err := block.Set(got, comet, lines, opts)
			require.NoError(t, err)
			require.Equal(t, string(got), string(again), "a second pass")
		})
	}
}

func TestSetRefuses(t *testing.T) {
	file := []byte("x\n")
	for name, line := range map[string]string{
		"newline":         "10.0.0.1\ta\n10.0.0.2\tgithub.com",
		"carriage return": "a\rb",
		"NUL":             "a\x00b",
		"begin":           comet.Begin,
		"end":             "key " + comet.End,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := block.Set(file, comet, []string{"fine", line}, block.Options{})
			require.ErrorContains(t, err, "line 2")
			require.NotContains(t, err.Error(), "github.com")
		})
	}
	require.Equal(t, "x\n", string(file))
}

func TestUnusableMarkers(t *testing.T) {
	for name, m := range map[string]block.Markers{
		"none":      {},
		"no end":    {Begin: "b"},
		"same":      {Begin: "m", End: "m"},
		"contained": {Begin: "the end", End: "end"},
		"two lines": {Begin: "b\nb", End: "e"},
		"blank":     {Begin: " b", End: "e"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := block.Set([]byte("x\n"), m, []string{"a"}, block.Options{})
			require.Error(t, err)
			_, state := block.Get([]byte("m\nb\nx\n"), m, block.Options{})
			require.Equal(t, block.Absent, state)
		})
	}
}

func TestGet(t *testing.T) {
	own := func(line string) bool { return strings.HasPrefix(line, "10.") }
	cases := []struct {
		name  string
		file  string
		want  []string
		state block.State
	}{
		{"empty file", "", nil, block.Absent},
		{"foreign file", "x\n10.1", nil, block.Absent},
		{"similar block", "{PB}\nkey\n{PE}\n", nil, block.Absent},
		{"commented out", "#{B}\n#1\n#{E}\n", nil, block.Absent},
		{"whole", "x\n{B}\na\n\nb\n{E}\ny", []string{"a", "", "b"}, block.Whole},
		{"whole and empty", "{B}\n{E}\n", nil, block.Whole},
		{"carriage returns", "{B}\r\na\r\n{E}\r\n", []string{"a"}, block.Damaged},
		{"END missing", "{B}\n10.1\nx\n10.2\n", []string{"10.1"}, block.Damaged},
		{"BEGIN missing", "10.1\n{E}\n", nil, block.Damaged},
		{"doubled", "{B}\na\n{E}\n{B}\na\nb\n{E}\n", []string{"a", "a", "b"}, block.Damaged},
		{"glued", "{B}\na\nb{E}\n", []string{"a", "b"}, block.Damaged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, state := block.Get([]byte(expand(c.file)), comet, block.Options{Own: own})
			require.Equal(t, c.want, got)
			require.Equal(t, c.state.String(), state.String())
		})
	}
}
