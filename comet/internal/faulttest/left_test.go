package faulttest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// leftovers are temporary files below a folder.
func leftovers(t *testing.T, dir string) (names []string) {
	eachFile(t, dir, func(path string, d fs.DirEntry) {
		if strings.HasPrefix(d.Name(), ".comet-") {
			names = append(names, path)
		}
	})
	return names
}

// readable are files below a folder that everybody may read and that hold one of these texts.
func readable(t *testing.T, dir string, secrets []string) (names []string) {
	eachFile(t, dir, func(path string, d fs.DirEntry) {
		info, err := d.Info()
		require.NoError(t, err)
		if !info.Mode().IsRegular() || info.Mode()&0o044 == 0 {
			return
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				names = append(names, path)
			}
		}
	})
	return names
}

func eachFile(t *testing.T, dir string, look func(path string, d fs.DirEntry)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			look(path, d)
		}
		return err
	}))
}

// linesWith are lines of a file that have one of these texts in them.
func linesWith(t *testing.T, path string, secrets []string) (found []string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(line, s) }) {
			found = append(found, line)
		}
	}
	return found
}

// tail is the end of a file.
func tail(path string) string {
	text, _ := os.ReadFile(path)
	return string(text[max(0, len(text)-6000):])
}
