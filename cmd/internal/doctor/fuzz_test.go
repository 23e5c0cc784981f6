package doctor_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renci-nrig/comet-go/cmd/internal/doctor"
	"github.com/renci-nrig/comet-go/testdata/plant"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// FuzzExamine: whatever answers in the place of a head, each thing that is said of it is one line that a terminal can show.
func FuzzExamine(f *testing.F) {
	f.Add(200, `{"status":"OK","message":"success","value":{"Comet version":"1.0.5","Comet API version":"1.0.0","Comet extensions":["batch/1;max=40"],"Comet store":"S"}}`, "Wed, 21 Oct 2015 07:28:00 GMT")
	f.Add(200, `{"status":"OK","value":{"Comet version":"\u001b[2J","Comet API version":"\n","Comet extensions":["\u009b1m",""],"Comet store":"a\r\nb","entries":[]}}`, "2015")
	f.Add(400, `{"status":"\u0007","message":"\u001b]0;x\u0007","value":{"error":"a\nb"}}`, "")
	f.Add(503, "<html>\x1b[2J</html>", "x")
	f.Add(302, "", "")
	var now atomic.Pointer[stranger]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	f.Cleanup(server.Close)
	f.Fuzz(func(t *testing.T, status int, body, date string) {
		now.Store(&stranger{200 + int((uint(status)-200)%400), body, date})
		s := doctor.Subject{Heads: server.URL, Names: tlsconfig.Names{Insecure: true}, Step: 200 * time.Millisecond}
		for _, c := range examine(t, s).Checks {
			plant.RequireLine(t, c.Says)
			if c.DoThis != "" {
				plant.RequireLine(t, c.DoThis)
			}
		}
	})
}

// stranger answers everything alike.
type stranger struct {
	status     int
	body, date string
}

func (s *stranger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = []string{s.date}
	w.Header().Set("Location", path.Join("/", s.date))
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}
