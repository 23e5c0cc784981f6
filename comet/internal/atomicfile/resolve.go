package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
)

var (
	errLink     = errors.New("there is a symbolic link in the path, which is not allowed here")
	errDangling = errors.New("symbolic link to nothing")
	errLoop     = errors.New("too many symbolic links")
	errEscape   = errors.New("leads out of the root folder")
)

const maxLinks = 40 // as Linux has it

// place is where a file is after all links: the folder that holds it, its name there, and its whole path below the root.
type place struct {
	dir  *os.Root
	base string
	name string
}

// find follows name below the root. The folder it opens stays the same one whatever happens to the path afterwards.
func find(root *os.Root, name string, noLinks bool) (place, error) {
	if !filepath.IsLocal(name) {
		return place{}, fmt.Errorf("%q: not a path below the root folder %s", name, root.Name())
	}
	real, err := resolve(root, filepath.ToSlash(name), noLinks)
	if err != nil {
		return place{}, err
	}
	dir, err := root.OpenRoot(path.Dir(real))
	if err != nil {
		return place{}, err
	}
	return place{dir: dir, base: path.Base(real), name: real}, nil
}

// resolve returns name without symbolic links. An absolute link counts from the root, as it will once the root is the machine's. The
// last element may be missing, unless a link names it.
func resolve(root *os.Root, name string, noLinks bool) (string, error) {
	done, links := ".", 0
	tail := math.MaxInt // how many elements follow those that a link has put into rest
	for rest := strings.Split(name, "/"); len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			if done == "." {
				return "", errEscape
			}
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		info, err := root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(rest) >= tail:
			return "", fmt.Errorf("%s: %w", next, errDangling)
		case errors.Is(err, fs.ErrNotExist) && len(rest) == 0:
			return next, nil
		case err != nil:
			return "", err
		case info.Mode().Type() != fs.ModeSymlink:
			done = next
			continue
		case noLinks:
			return "", fmt.Errorf("%s: %w", next, errLink)
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", next, errLoop)
		}
		if path.IsAbs(target) {
			done = "."
		}
		tail = min(tail, len(rest))
		rest = append(strings.Split(target, "/"), rest...)
	}
	return done, nil
}
