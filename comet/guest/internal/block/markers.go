package block

import (
	"errors"
	"fmt"
	"strings"
)

// Markers are the two lines that enclose a block, without their newlines. Neither may be empty, contain the other, hold a line
// break or a NUL, or begin or end with white space. Comparable.
type Markers struct {
	Begin, End string
}

// NEuca returns the markers of the block called name, as neuca-guest-tools and host-key-tools write them. Their names are
// "loopback" and "comet" in /etc/hosts, "comet pubkeys" and "comet user keys" in an authorized_keys.
func NEuca(name string) Markers {
	const rest = " modifications - DO NOT EDIT BETWEEN THESE LINES. ###"
	return Markers{Begin: neucaBegin + name + rest, End: neucaEnd + name + rest}
}

const (
	neucaBegin = "### BEGIN NEuca "
	neucaEnd   = "### END NEuca "
)

// MayMark reports whether a line may hold a marker of some block of NEuca's. It belongs into none of a file in which there may be others.
func MayMark(line string) bool {
	return strings.Contains(line, neucaBegin) || strings.Contains(line, neucaEnd)
}

func (m Markers) check() error {
	for _, text := range []string{m.Begin, m.End} {
		if text == "" || text != strings.TrimSpace(text) || strings.ContainsAny(text, lineBreaks) {
			return fmt.Errorf("block marker %q: must be one line of text without white space around it", text)
		}
	}
	if strings.Contains(m.Begin, m.End) || strings.Contains(m.End, m.Begin) {
		return fmt.Errorf("block markers %q and %q: one contains the other", m.Begin, m.End)
	}
	return nil
}

// checkLine refuses a line that would be more than one line to some reader, or that would end the block. The error does not
// quote the line.
func (m Markers) checkLine(line string) error {
	switch {
	case strings.ContainsAny(line, lineBreaks):
		return errors.New("holds a line break or a NUL")
	case strings.Contains(line, m.Begin), strings.Contains(line, m.End):
		return errors.New("holds a marker of the block")
	}
	return nil
}

const lineBreaks = "\n\r\x00"
