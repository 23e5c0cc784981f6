package faulttest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/crypto/ssh"
)

// blocks are the names of the guest's blocks in the files.
var blocks = map[string]string{hostsFile: "comet", keysFile: "comet pubkeys", knownHostsFile: "comet host keys"}

// takeApart tells the guest's lines in a file from what others have written.
func takeApart(name, text string) (lines []string, others string, err error) {
	block, others, err := cut(text, blocks[name], "")
	if err == nil && name == hostsFile {
		_, others, err = cut(others, "loopback", "\n")
	}
	return strings.Split(strings.TrimSuffix(block, "\n"), "\n"), others, err
}

// cut takes a block out of a text.
func cut(text, name, space string) (block, others string, err error) {
	const rest = " modifications - DO NOT EDIT BETWEEN THESE LINES. ###\n"
	before, after, found := strings.Cut(text, space+"### BEGIN NEuca "+name+rest)
	if !found {
		return "", text, nil
	}
	block, after, found = strings.Cut(after, "### END NEuca "+name+rest+space)
	if !found || strings.Contains(block, "###") {
		return "", text, fmt.Errorf("block %q is torn", name)
	}
	return block, before + after, nil
}

// truth is what lines the guests of a slice may write.
type truth struct {
	mu      sync.Mutex
	lines   map[string]string // by what a line says, whose it is
	leaving map[string]bool   // VMs that others may forget
}

func newTruth() *truth { return &truth{lines: map[string]string{}, leaving: map[string]bool{}} }

func (r *truth) add(line, of string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[line] = of
}

func (r *truth) leaves(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving[name] = true
}

func (r *truth) mayForget(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leaving[name]
}

// whose says whose a line is; an error where no VM has ever said so.
func (r *truth) whose(file, line string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if file == keysFile { // guests make them
		_, comment, _, more, err := ssh.ParseAuthorizedKey([]byte(line))
		name, root := strings.CutPrefix(comment, "root@")
		if err != nil || !root || len(more) > 0 {
			return "", fmt.Errorf("%q is no key: %v", line, err)
		}
		return name, nil
	}
	if of, ok := r.lines[line]; ok {
		return of, nil
	}
	return "", fmt.Errorf("nobody has ever said %q", line)
}

// view is what was seen of the files on a machine's disk.
type view struct {
	m    *machine
	root string
	seen map[string]os.FileInfo
	had  map[string]map[string]bool // by file, the VMs that stood there
}

// look makes sure that each file is whole at this moment: what others have written, byte for byte, nothing of the guest's that nobody has
// said, nothing of the VM itself, and all the VMs that stood there before, unless they leave.
func (v *view) look(r *truth) error {
	for name := range blocks {
		path := filepath.Join(v.root, name)
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if before := v.seen[name]; before != nil && os.SameFile(before, info) && before.ModTime().Equal(info.ModTime()) && before.Size() == info.Size() {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		v.seen[name] = info
		if err := v.judge(r, name, string(text)); err != nil {
			return fmt.Errorf("%s of %s: %w:\n%s", name, v.m.name(), err, text)
		}
	}
	return nil
}

func (v *view) judge(r *truth, file, text string) error {
	lines, others, err := takeApart(file, text)
	if err != nil {
		return err
	}
	if others != foreign[file] {
		return fmt.Errorf("others' lines have become %q", others)
	}
	now := map[string]bool{}
	for _, line := range lines {
		if line == "" {
			continue
		}
		of, err := r.whose(file, line)
		switch {
		case err != nil:
			return err
		case of == v.m.name():
			return fmt.Errorf("%q is the VM itself", line)
		case now[of] && file == hostsFile:
			return fmt.Errorf("%s is there twice", of)
		}
		now[of] = true
	}
	for of := range v.had[file] {
		if !now[of] && !r.mayForget(of) {
			return fmt.Errorf("%s has vanished", of)
		}
	}
	v.had[file] = now
	return nil
}

// watchFiles looks at the machines' files all the time.
type watchFiles struct {
	t     *testing.T
	truth *truth

	mu    sync.Mutex
	views []*view
	looks int
}

// add begins to look at a machine's disk.
func (w *watchFiles) add(m *machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.views = append(w.views, &view{m: m, root: m.disk(), seen: map[string]os.FileInfo{}, had: map[string]map[string]bool{}})
}

func (w *watchFiles) look() {
	w.mu.Lock()
	views := slices.Clone(w.views)
	w.looks++
	w.mu.Unlock()
	for _, v := range views {
		if !assert.NoError(w.t, v.look(w.truth)) {
			w.t.Logf("%s (%q)\n%s", v.m.name(), v.m.program, tail(v.m.log()))
		}
	}
}

// start looks until stop is called.
func (w *watchFiles) start() (stop func()) {
	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		ticks := time.NewTicker(2 * time.Millisecond)
		defer ticks.Stop()
		for !w.t.Failed() {
			w.look()
			select {
			case <-over:
				return
			case <-ticks.C:
			}
		}
	})
	return sync.OnceFunc(func() {
		close(over)
		looking.Wait()
	})
}

// wanted is what a machine's files must say of the others, by file.
func wanted(m *machine, all map[string]*machine) map[string][]string {
	want := map[string][]string{hostsFile: nil, keysFile: nil, knownHostsFile: nil}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if o := all[name]; o != m {
			want[hostsFile] = append(want[hostsFile], hostLine(o))
			want[keysFile] = append(want[keysFile], o.publicKey())
			want[knownHostsFile] = append(want[knownHostsFile], knownHostLine(o))
		}
	}
	for _, lines := range want {
		slices.Sort(lines)
	}
	return want
}

func hostLine(m *machine) string      { return m.address.Load().String() + "\t" + m.name() }
func knownHostLine(m *machine) string { return m.name() + " " + m.hostID }

// holds is what a machine's files say of the others, by file.
func holds(m *machine) map[string][]string {
	have := map[string][]string{}
	for name := range blocks {
		lines, _, _ := takeApart(name, m.file(name))
		have[name] = slices.DeleteFunc(lines, func(l string) bool { return l == "" })
		if len(have[name]) == 0 {
			have[name] = nil
		}
	}
	return have
}
