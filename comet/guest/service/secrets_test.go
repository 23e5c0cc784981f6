package service_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
	"github.com/renci-nrig/comet-go/scope"
)

// What others on the machine can read, what is logged, and what systemd and a monitoring system are told holds no secret, neither when
// all is well nor when user data cannot be used.
func TestOthersSeeNoSecret(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	w := newWorld(t)
	own := scope.NewTokens()
	secrets := []string{w.tokens.Read.Reveal(), w.tokens.Write.Reveal(), own.Read.Reveal(), "a-chap-secret", "echo a-script-body"}
	for family, value := range map[string][]byte{
		"storage": scope.Encode(scope.Storage{Device: "dev0", Type: "iscsi", TargetIP: "10.0.0.8", TargetPort: "3260", TargetLUN: "1",
			ChapUser: "user", ChapSecret: scope.Hide("a-chap-secret"), ShouldAttach: "yes", FSType: "ext4", ShouldFormat: "no", MountPoint: "/mnt"}),
		"scripts": scope.Encode(scope.Script{Name: "bootscript", Body: scope.Hide("echo a-script-body")}),
	} {
		_, err := w.client.Write(t.Context(), scope.MustName("slice", family, "own"), own, value)
		require.NoError(t, err)
	}
	told := systemd(t, "20000")
	w.set(func(s *settings.Settings) { s.MetricsListen, s.MetricsFile = "127.0.0.1:0", "/metrics/comet.prom" }, nil)
	self := w.self("own")
	self.ReadToken = own.Read
	w.tell(w.ini(self))
	s, log := w.logged()
	s.Notify = service.Systemd()
	r := w.start(s)
	w.status(knows(1))
	private := w.file("root/.ssh/id_ed25519")
	require.Contains(t, private, "PRIVATE KEY")
	secrets = append(secrets, strings.Split(private, "\n")[1:4]...)
	metrics := string(scrape(t, served(t, log, 1)))
	w.nothingToSee(secrets)

	r.stop()

	require.NoError(t, os.Remove(filepath.Join(w.root, "var/lib/comet-guest/identity")))
	secrets = append(secrets, own.Write.Reveal())
	self.CACert = []byte(own.Write.Reveal()) // whoever pastes into the wrong field
	w.tell(w.ini(self) + "neither a section nor a field " + own.Write.Reveal() + "\n")
	r = w.start(s)
	w.status(func(st service.Status) bool { return st.State == service.StateSearching })
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "must be mended") }, waitFor, tick, "%s", log)
	w.nothingToSee(secrets)
	w.tell(w.ini(self))
	r.reload <- struct{}{}
	w.status(func(st service.Status) bool { return st.State == service.StateFailed })
	w.nothingToSee(secrets)
	r.stop()
	texts := []string{log.String(), metrics}
	for range 2 {
		for message := ""; message != "STOPPING=1"; texts = append(texts, message) {
			message = hear(t, told, "")
		}
	}
	for _, secret := range secrets {
		for _, text := range texts {
			assert.NotContains(t, text, secret)
		}
	}
}

// nothingToSee looks into all files that everybody may read.
func (w *world) nothingToSee(secrets []string) {
	w.Helper()
	var seen []string
	require.NoError(w, filepath.WalkDir(w.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o005 == 0 && e.IsDir() {
			return fs.SkipDir
		}
		if !info.Mode().IsRegular() || info.Mode().Perm()&0o004 == 0 {
			return nil
		}
		text, err := os.ReadFile(path)
		seen = append(seen, strings.TrimPrefix(path, w.root+"/"))
		for _, secret := range secrets {
			assert.NotContains(w, string(text), secret, path)
		}
		return err
	}))
	assert.Subset(w, seen, []string{"etc/hosts", "run/status.json", "metrics/comet.prom"})
}
