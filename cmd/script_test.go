// Package cmd_test runs the commands as people do: real binaries, real heads, scripts of what is typed and what must come out.
package cmd_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/testdata/programs"
)

// TestScripts runs every file of testdata against freshly built binaries.
func TestScripts(t *testing.T) {
	sources(t)
	bin := t.TempDir()
	require.NoError(t, programs.Build(bin, "./..."))
	scripts, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	shared, err := filepath.Abs("../testdata")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("BIN", bin)
			e.Setenv("TESTDATA", shared)
			e.Values[heads{}] = &sync.Map{}
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "curl" {
				_, err := exec.LookPath("curl")
				if err != nil && os.Getenv("CI") != "" {
					return false, errors.New("there is no curl: install the package curl")
				}
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: commands,
	})
}

// commands are what our scripts have beside testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"head":    startHead,
	"halt":    haltHead,
	"mode":    checkMode,
	"exits":   exits,
	"oneline": oneLine,
	"secrets": secrets,
}

// inPlace runs scripts in the test itself, not in one of their own that -run would have to name.
type inPlace struct{ *testing.T }

func (t inPlace) Run(_ string, f func(testscript.T)) { f(t) }
func (inPlace) Parallel()                            {}
func (inPlace) Verbose() bool                        { return false }

// testscript's own commands win over ours without a word, and its stop and skip end a script as if all were well.
func TestScriptsAreRunToTheirEnd(t *testing.T) {
	dir, called := t.TempDir(), map[string]bool{}
	probes := map[string]func(*testscript.TestScript, bool, []string){}
	script := ""
	for name := range commands {
		probes[name] = func(*testscript.TestScript, bool, []string) { called[name] = true }
		script = name + " x\n" + script
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "probe.txtar"), []byte(script), 0o600))
	testscript.RunT(inPlace{t}, testscript.Params{Dir: dir, Cmds: probes})
	for name := range commands {
		require.True(t, called[name], "%s is a command of testscript's own, or behind one that ends the script", name)
	}
	scripts, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		commands, _, _ := strings.Cut(string(text), "\n-- ")
		require.NotRegexp(t, `(?m)^(stop|skip)\b`, commands, "%s ends before its end", path)
	}
}

// sources looks at every source file, so that go test knows what the result depends on and does not serve an old one.
func sources(t testing.TB) {
	require.NoError(t, filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			_, err = os.Stat(path)
		}
		return err
	}))
}

type heads struct{}

// startHead is "head NAME DIR [FLAG…]": it starts cometd on a free port and puts its URL into the variable NAME.
func startHead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: head NAME DIR [FLAG…]")
	}
	cometd := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "cometd")
	c := exec.Command(cometd, append([]string{"serve", "--data", ts.MkAbs(args[1]), "--listen", "127.0.0.1:0"}, args[2:]...)...)
	c.Env = []string{"HOME=" + ts.Getenv("HOME"), "COMET_LOG_LEVEL=debug"}
	log, err := os.OpenFile(ts.MkAbs(args[0]+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	ts.Check(err)
	c.Stderr = log
	out, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	ready, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.Wait()
		text, _ := os.ReadFile(log.Name())
		ts.Fatalf("head %s does not start: %v\n%s", args[0], err, text)
	}
	go io.Copy(io.Discard, out)
	_, rest, _ := strings.Cut(ready, "comethost=")
	url, _, _ := strings.Cut(rest, " ")
	ts.Setenv(args[0], strings.TrimSpace(url))
	end := sync.OnceFunc(func() { c.Process.Kill(); c.Wait(); log.Close() })
	ts.Value(heads{}).(*sync.Map).Store(args[0], end)
	ts.Defer(end)
}

// haltHead is "halt NAME": it kills a head.
func haltHead(ts *testscript.TestScript, _ bool, args []string) {
	end, ok := ts.Value(heads{}).(*sync.Map).Load(args[0])
	if !ok {
		ts.Fatalf("no head %s", args[0])
	}
	end.(func())()
}

// checkMode is "mode 0600 FILE…".
func checkMode(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if mode := fmt.Sprintf("%04o", info.Mode().Perm()); (mode == args[0]) == neg {
			ts.Fatalf("%s has mode %s", name, mode)
		}
	}
}

// exits is "exits CODE COMMAND ARG…": it runs a command that must end with this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if (fmt.Sprint(code) == args[0]) == neg {
		ts.Fatalf("exit code %d", code)
	}
}

// oneLine is "oneline stderr": what the last command wrote there must be one line.
func oneLine(ts *testscript.TestScript, _ bool, args []string) {
	if text := ts.ReadFile(args[0]); strings.Count(text, "\n") != 1 {
		ts.Fatalf("%s is not one line:\n%s", args[0], text)
	}
}

// secrets is "! secrets FILE… -- FILE…": none of the secrets in the files behind the dashes is in the files before them. Secrets
// are the tokens of token files and user data, passwords, and private keys.
func secrets(ts *testscript.TestScript, neg bool, args []string) {
	split := slices.Index(args, "--")
	if !neg || split < 0 {
		ts.Fatalf("usage: ! secrets FILE… -- FILE…")
	}
	var planted []string
	for _, pattern := range args[split+1:] {
		files, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		for _, f := range files {
			planted = append(planted, secretWords(ts.ReadFile(f))...)
		}
	}
	if len(planted) < 10 {
		ts.Fatalf("only %d secrets found: the test looks in the wrong place", len(planted))
	}
	for _, name := range args[:split] {
		text := ts.ReadFile(name)
		for _, word := range planted {
			if strings.Contains(text, word) {
				ts.Fatalf("%s has a secret in it: %s…", name, word[:4])
			}
		}
	}
}

var (
	tokenLine = regexp.MustCompile(`(?i)(?:token=|token": "|password=|pwd=|[0-9a-f]{12}": ")([A-Za-z0-9]{12,})`)
	keyLine   = regexp.MustCompile(`(?m)^([A-Za-z0-9+/]{64})$`)
)

// secretWords finds what must not be seen: tokens and passwords by their names, private keys line by line.
func secretWords(text string) []string {
	var words []string
	for _, m := range tokenLine.FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	if strings.Contains(text, "PRIVATE KEY") {
		for _, m := range keyLine.FindAllStringSubmatch(text, -1) {
			words = append(words, m[1])
		}
	}
	return words
}
