// Package programs makes the module's programs for tests that run them.
package programs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build makes the programs of some packages in a folder: static ones, as they are handed out.
func Build(folder string, packages ...string) error {
	c := exec.Command("go", append([]string{"build", "-o", folder + string(filepath.Separator)}, packages...)...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, text)
	}
	return nil
}
