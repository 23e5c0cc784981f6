package frame

import (
	"errors"
	"io/fs"
	"strings"
	"time"
)

// fresh is how long after a change of a file another one may leave the same times on it, on a file system that counts seconds.
const fresh = 2 * time.Second

// Stamp tells one state of files from another without reading them, by what the file system notes of them. Where it cannot vouch that
// a change will show, since a file has changed only just now or cannot be looked at, ok is false.
func (m *Machine) Stamp(names ...string) (stamp string, ok bool) {
	var b strings.Builder
	for _, name := range names {
		info, err := m.root.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			b.WriteString("none\n")
			continue
		}
		if err != nil {
			return "", false
		}
		text, changed, known := noted(info)
		if !known || time.Since(info.ModTime()) < fresh || time.Since(changed) < fresh {
			return "", false
		}
		b.WriteString(text)
	}
	return b.String(), true
}
