package orca

import (
	"fmt"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// SaveProperties writes a properties file of mode 0600, whole and synced or not at all, in place of what is there.
func SaveProperties(path string, list ...KeyValue) error {
	return save("properties file", path, FormatProperties(list...))
}

// Save writes the user data into a file of mode 0600, whole and synced or not at all, in place of what is there.
func (u UserData) Save(path string) error {
	text, err := u.INI()
	if err != nil {
		return err
	}
	return save("user data", path, text)
}

// SavePrivate writes a file with secrets in it, such as what FormatMetadata or CloudInit return, of mode 0600, whole and synced or
// not at all, in place of what is there. The error names it as what it is.
func SavePrivate(what, path string, text []byte) error { return save(what, path, text) }

func save(what, path string, text []byte) error {
	if err := atomicfile.Write(path, text, atomicfile.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
