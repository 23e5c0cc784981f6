package contents

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

// ErrExists is why Save leaves a file alone.
var ErrExists = errors.New("is there already")

// Save makes a file of an export or a backup, with mode 0600, in a folder that must exist: write writes it, and check reads it back
// before it has its name. After an error there is no file, or the one that was there before. Only with replace it may take the place
// of another; else the error is ErrExists.
func Save(path string, replace bool, write func(io.Writer) error, check func(*os.File) error) error {
	err := atomicfile.WriteFrom(path, replace, atomicfile.Options{Mode: 0o600}, func(f *os.File) error {
		if err := write(f); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return check(f)
	})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s %w", path, ErrExists)
	}
	return err
}
