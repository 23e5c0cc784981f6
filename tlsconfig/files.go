package tlsconfig

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Files names what is read and watched. Each is told by its content, whatever its name.
type Files struct {
	CA         string   // trusted certificates: DER, PEM, JKS or PKCS#12
	CAText     string   // what is in CA, where that is no file: its name then only says in errors where this came from
	CAPassword Password // where the CA is a key store

	KeyStore         string   // JKS, PKCS#12, or PEM with certificate and key in one
	KeyStoreAlias    string   // which private key; "" takes the only one
	KeyStorePassword Password // of the store
	KeyPassword      Password // of the private key, in the store or in Key; zero: that of the store

	Cert string // certificate and chain, PEM or DER; "" where Key holds it too
	Key  string // private key, PEM or DER; "" where Cert holds it too
}

// paths lists the files to read, each once.
func (f Files) paths() []string {
	ca := f.CA
	if f.CAText != "" {
		ca = ""
	}
	var paths []string
	for _, path := range []string{ca, f.KeyStore, f.Cert, f.Key} {
		if path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// hasPair tells whether a certificate and key are named beside or instead of a key store.
func (f Files) hasPair() bool { return f.Cert != "" || f.Key != "" }

// pair returns the two files of the pair, which may be one.
func (f Files) pair() (cert, key string) {
	cert, key = f.Cert, f.Key
	if cert == "" {
		cert = key
	}
	if key == "" {
		key = cert
	}
	return cert, key
}

// content is one file as it was read.
type content struct {
	data []byte
	err  error
}

// reading is every file at one moment.
type reading map[string]content

func read(paths []string) reading {
	files := reading{}
	for _, path := range paths {
		data, err := readFile(path)
		files[path] = content{data, err}
	}
	return files
}

// readFile reads a regular file of no more than sizeCap bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would block, and cannot be read twice
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, sizeCap+1))
	if err != nil {
		return nil, err
	}
	if err := checkSize(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// get returns the content of path; errors name it.
func (r reading) get(path string) ([]byte, error) { return r[path].data, r[path].err }

// missing tells whether path does not exist.
func (r reading) missing(path string) bool { return errors.Is(r[path].err, fs.ErrNotExist) }

// digest tells readings apart.
func (r reading) digest(paths []string) [sha256.Size]byte {
	h := sha256.New()
	for _, path := range paths {
		c := r[path]
		fmt.Fprintf(h, "%s %d %v\n", path, len(c.data), c.err)
		h.Write(c.data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// stamps is what stat says about every file: enough to see, for microseconds, that nothing was changed.
type stamps map[string]fs.FileInfo

func stampsOf(paths []string) stamps {
	s := stamps{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			s[path] = info
		}
	}
	return s
}

func (s stamps) equal(other stamps) bool {
	if len(s) != len(other) {
		return false
	}
	for path, a := range s {
		b, ok := other[path]
		if !ok || !os.SameFile(a, b) || a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
			return false
		}
	}
	return true
}
