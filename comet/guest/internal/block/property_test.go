package block_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/renci-nrig/comet-go/comet/guest/internal/block"
)

const ours = "10.9." // what the lines of the block begin with, and no foreign line

func isOurs(line string) bool { return strings.HasPrefix(line, ours) }

func foreignLine() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		line := rapid.OneOf(
			rapid.SampledFrom([]string{
				"127.0.0.1 localhost", "", "\r", "\x00", "\xff\xfe", "# comment", "#" + comet.Begin, "# " + comet.End,
				block.NEuca("comet pubkeys").Begin, block.NEuca("loopback").End, "### BEGIN NEuca comet", comet.End[1:],
			}),
			rapid.StringMatching(`[ -~]{0,20}\r?`),
		).Draw(t, "foreign")
		return line + "\n"
	})
}

func ownLine() *rapid.Generator[string] {
	return rapid.StringMatching(`10\.9\.[0-9]{1,3}\.[0-9]{1,3}\t[a-z]{1,8}`)
}

// mess is a file of foreign lines between blocks in every condition, and what of it is foreign.
func mess(t *rapid.T) (file, foreign string) {
	var f, o strings.Builder
	foreignLines := rapid.SliceOfN(foreignLine(), 0, 3)
	ownLines := rapid.SliceOfN(ownLine(), 0, 3)
	for range rapid.IntRange(0, 6).Draw(t, "parts") {
		text := strings.Join(foreignLines.Draw(t, "text"), "")
		f.WriteString(text)
		o.WriteString(text)

		lines := ownLines.Draw(t, "own")
		body := strings.Join(lines, "\n")
		switch rapid.SampledFrom([]string{"whole", "cr", "glued END", "no END", "no BEGIN", "glued BEGIN"}).Draw(t, "block") {
		case "whole":
			f.WriteString(comet.Begin + "\n" + body + "\n" + comet.End + "\n")
		case "cr":
			f.WriteString(comet.Begin + "\r\n" + body + "\r\n" + comet.End + "\r\n")
		case "glued END":
			f.WriteString(comet.Begin + "\n" + body + comet.End + "\n")
		case "no END": // a foreign line, then another BEGIN, so that the next END is not taken for the missing one
			f.WriteString(comet.Begin + "\n" + body + "\nfence\n" + comet.Begin + "\n" + comet.End + "\n")
			o.WriteString(strings.Repeat("\n", emptyBody(lines)) + "fence\n")
		case "no BEGIN":
			f.WriteString("fence\n" + comet.End + "\n")
			o.WriteString("fence\n")
		case "glued BEGIN":
			f.WriteString("fence" + comet.Begin + "\n" + body + "\n" + comet.End + "\n")
			o.WriteString("fence\n")
		}
	}
	tail := rapid.SampledFrom([]string{"", "no newline", "tail\n"}).Draw(t, "tail")
	if tail == "" {
		return f.String(), o.String()
	}
	return f.String() + tail, o.String() + tail
}

// emptyBody is 1 where no lines leave a blank line between the markers, which is not ours by its looks.
func emptyBody(lines []string) int {
	if len(lines) == 0 {
		return 1
	}
	return 0
}

func TestForeignLinesSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, foreign := mess(t)
		opts := block.Options{Own: isOurs}

		bare, err := block.Set([]byte(file), comet, nil, opts)
		require.NoError(t, err)
		require.Equal(t, foreign, endLike(string(bare), foreign))

		lines := rapid.SliceOfN(ownLine(), 1, 5).Draw(t, "lines")
		full, err := block.Set([]byte(file), comet, lines, opts)
		require.NoError(t, err)
		before, rest, ok := strings.Cut(string(full), comet.Begin+"\n"+strings.Join(lines, "\n")+"\n"+comet.End+"\n")
		require.True(t, ok, "one block with exactly the lines: %q", full)
		require.Equal(t, strings.TrimSuffix(foreign, "\n"), strings.TrimSuffix(before+rest, "\n"))
	})
}

// endLike ends a file in a newline where the other one does: a line that a marker was glued to never had one.
func endLike(file, other string) string {
	if strings.HasSuffix(other, "\n") && file != "" && !strings.HasSuffix(file, "\n") {
		return file + "\n"
	}
	return file
}

func TestAnyFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file, _ := mess(t)
		lines := rapid.SliceOf(rapid.OneOf(ownLine(), rapid.StringMatching(`[^\n\r\x00#]*`))).Draw(t, "lines")
		checkLaws(t, []byte(file), comet, lines, block.Options{Own: isOurs, Spaced: rapid.Bool().Draw(t, "spaced")})
	})
}

// A block that is put into a file and withdrawn again leaves no trace, spaced or not.
func TestThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := strings.Join(rapid.SliceOf(foreignLine()).Draw(t, "foreign"), "")
		if strings.Contains(strings.ReplaceAll(file, "#"+comet.Begin, ""), comet.Begin) {
			t.Skip("not a foreign file")
		}
		opts := block.Options{Spaced: rapid.Bool().Draw(t, "spaced")}
		full, err := block.Set([]byte(file), comet, []string{"a"}, opts)
		require.NoError(t, err)
		back, err := block.Set(full, comet, nil, opts)
		require.NoError(t, err)
		require.Equal(t, file, string(back))
	})
}

// FuzzSet holds the laws for any file, any lines, and markers as short as they come.
func FuzzSet(f *testing.F) {
	f.Add([]byte("x\n"+comet.Begin+"\n10.9.0.1\ta\n"+comet.End+"\ny"), "10.9.0.2\tb", false, false)
	f.Add([]byte("x"+comet.Begin+"\n10.9.0.1\ta"+comet.End+comet.Begin+"\n\n#"+comet.End), "a\nb", true, false)
	f.Add([]byte("x<<\ny>>z<<<\n#>>>\n\n<<\n10.9.\n\n<<1>>\n\n"), "a\n\nb", true, true)
	f.Add([]byte(comet.End+"\r\n\x00\xff"), "", false, true)
	f.Fuzz(func(t *testing.T, file []byte, text string, spaced, short bool) {
		m := comet
		if short {
			m = block.Markers{Begin: "<<", End: ">>"}
		}
		var lines []string
		if text != "" {
			lines = strings.Split(text, "\n")
		}
		checkLaws(t, file, m, lines, block.Options{Own: isOurs, Spaced: spaced})
	})
}

// checkLaws: what Set wrote Get finds, once is enough, and what stands before the first marker and after the last is as it was.
func checkLaws(t require.TestingT, file []byte, m block.Markers, lines []string, opts block.Options) {
	was := bytes.Clone(file)
	got, err := block.Set(file, m, lines, opts)
	require.Equal(t, was, file, "the input")
	if err != nil {
		require.True(t, anyRefused(m, lines), "refused without reason: %v", err)
		return
	}

	again, err := block.Set(got, m, lines, opts)
	require.NoError(t, err)
	require.Equal(t, string(got), string(again), "a second pass")

	found, state := block.Get(got, m, opts)
	if len(lines) == 0 {
		require.Equal(t, block.Absent, state)
	} else {
		require.Equal(t, block.Whole, state)
		require.Equal(t, lines, found)
	}

	first, last := outerLines(file, m)
	require.True(t, bytes.HasPrefix(got, first), "before the first marker: %q in %q", first, got)
	if len(last) < len(file) {
		require.True(t, bytes.HasSuffix(got, last) || endsAbove(got, last, m, opts), "after the last marker: %q in %q", last, got)
	}
}

func anyRefused(m block.Markers, lines []string) bool {
	for _, line := range lines {
		if strings.ContainsAny(line, "\n\r\x00") || strings.Contains(line, m.Begin) || strings.Contains(line, m.End) {
			return true
		}
	}
	return false
}

// outerLines are the whole lines above the first line that has a marker on it, and those below the last such line that cannot be
// taken for ours: without the lines that begin like ours and without blank ones at either side.
func outerLines(file []byte, m block.Markers) (first, last []byte) {
	lines := bytes.SplitAfter(file, []byte("\n"))
	marked := func(l []byte) bool { return bytes.Contains(l, []byte(m.Begin)) || bytes.Contains(l, []byte(m.End)) }
	from, to := 0, len(lines)
	for from < len(lines) && !marked(lines[from]) {
		from++
	}
	for to > 0 && !marked(lines[to-1]) {
		to--
	}
	for to < len(lines) && (isOurs(string(lines[to])) || string(lines[to]) == "\n") {
		to++
	}
	for from > 0 && string(lines[from-1]) == "\n" {
		from--
	}
	return bytes.Join(lines[:from], nil), bytes.Join(lines[to:], nil)
}

// endsAbove reports whether a new block at the end of the file stands below the foreign end.
func endsAbove(got, last []byte, m block.Markers, opts block.Options) bool {
	bare, err := block.Set(got, m, nil, opts)
	return err == nil && (bytes.HasSuffix(bare, last) || bytes.HasSuffix(bare, append(bytes.Clone(last), '\n')))
}
