package atomicfile_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
)

func ExampleReplace() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "motd"), []byte("hello\n"), 0o644)
	root, err := os.OpenRoot(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()

	seen, err := atomicfile.Read(root, "motd", atomicfile.ReplaceOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	wanted := bytes.ToUpper(seen)
	for range 2 {
		result, err := atomicfile.Replace(root, "motd", wanted, atomicfile.ReplaceOptions{})
		fmt.Println(result.Changed, err)
	}
	// Output:
	// true <nil>
	// false <nil>
}
