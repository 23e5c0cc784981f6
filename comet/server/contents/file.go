package contents

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// What is wrong with a file that Open refuses. The errors around them name it.
var (
	ErrNotExport = errors.New("is not an export of a store")
	ErrFormat    = errors.New("has a format that this version does not know")
	ErrDamaged   = errors.New("is truncated or was altered")
)

// File is an export that was found whole.
type File struct {
	Header
	Entries int
	Size    int64 // in bytes

	file *os.File
	sum  string
	read func(bytes int) // tells of progress
}

// Open reads the file at path to its end, and returns it where all of it is there and nothing was altered; otherwise the error is
// ErrNotExport, ErrFormat or ErrDamaged. progress, where not nil, is called with each number of bytes read, now and whenever the
// entries are read. The caller closes the file.
func Open(path string, progress func(bytes int)) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	f, err := Read(file, progress)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("export %s %w", path, err)
	}
	return f, nil
}

// Read is Open for a file that is open already, whose errors do not name it.
func Read(file *os.File, progress func(bytes int)) (*File, error) {
	if progress == nil {
		progress = func(int) {}
	}
	f := &File{file: file, read: progress}
	return f, f.check()
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func (f *File) check() error {
	info, err := f.file.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return ErrNotExport
	}
	f.Size = info.Size()
	for _, err := range f.lines() {
		if err != nil {
			return err
		}
	}
	return nil
}

// All returns the entries, from the first one on with each use. Where the file was altered since Open, the last of them is ErrDamaged.
func (f *File) All() Entries {
	return func(yield func(Entry, error) bool) {
		entries, sum := f.Entries, f.sum
		for r, err := range f.lines() {
			if !yield(r, err) || err != nil {
				return
			}
		}
		if f.Entries != entries || f.sum != sum {
			yield(Entry{}, ErrDamaged)
		}
	}
}

// lines reads the whole file and leaves in f what its first and last lines say.
func (f *File) lines() Entries {
	return func(yield func(Entry, error) bool) {
		err := f.each(func(r Entry) bool { return yield(r, nil) })
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

func (f *File) each(visit func(Entry) bool) error {
	in := &input{Reader: bufio.NewReaderSize(io.NewSectionReader(f.file, 0, f.Size), 64<<10), read: f.read}
	line, err := in.line()
	if len(line) > 0 && !bytes.HasPrefix(line, []byte(beginning)) {
		return ErrNotExport
	}
	if err == nil {
		err = f.parseHeader(line)
	}
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(line)
	for entries := 0; ; entries++ {
		if line, err = in.line(); err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte(ending)) {
			return f.finish(in, line, entries, hex.EncodeToString(sum.Sum(nil)))
		}
		r, err := parseEntry(line)
		if err != nil {
			return fmt.Errorf("%w (line %d: %w)", ErrDamaged, in.number, err)
		}
		if !visit(r) {
			return nil
		}
		sum.Write(line)
	}
}

func (f *File) parseHeader(line []byte) (err error) {
	if err := checkFormat(line); err != nil {
		return err
	}
	if f.Header, err = parseHeader(line); err != nil {
		return fmt.Errorf("%w (line 1: %w)", ErrDamaged, err)
	}
	return nil
}

// finish compares the last line with what was read.
func (f *File) finish(in *input, line []byte, entries int, sum string) error {
	var l trailerLine
	if err := parse(line, &l); err != nil || l.Entries == nil || *l.Entries != entries || l.SHA256 != sum {
		return ErrDamaged
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return ErrDamaged
	}
	f.Entries, f.sum = entries, sum
	return nil
}

// input reads lines, of which the last one too must be ended.
type input struct {
	*bufio.Reader
	read   func(bytes int)
	number int
}

func (in *input) line() ([]byte, error) {
	in.number++
	var whole []byte
	for {
		part, err := in.ReadSlice('\n')
		whole = append(whole, part...)
		in.read(len(part))
		switch {
		case err == nil:
			return whole, nil
		case errors.Is(err, io.EOF), len(whole) > maxLine:
			return whole, ErrDamaged
		case !errors.Is(err, bufio.ErrBufferFull):
			return whole, err
		}
	}
}
