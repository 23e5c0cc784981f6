package comettest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"time"
)

// Fault is a way for a head to misbehave. By itself it applies to every call, for ever; On and Times narrow that. It strikes when a
// call comes in: watches that wait already go on, and one that is to be carried out first waits first. Stopping a head, so that it
// refuses connections and those that wait break, is Heads.Stop; a wrong certificate is Heads.Present.
type Fault struct {
	calls []string
	times int // how often it still applies; 0: always
	spent bool
	serve func(w http.ResponseWriter, r *http.Request, head http.Handler, released <-chan struct{})
}

// On returns the fault for these calls alone, such as "readScope", "watchScope" and "getVersion".
func (f Fault) On(calls ...string) Fault {
	f.calls = calls
	return f
}

// Times returns the fault for the next n calls that it applies to; for all where n is 0.
func (f Fault) Times(n int) Fault {
	f.times = n
	return f
}

// applies reports whether the fault takes this call, and counts it.
func (f *Fault) applies(call string) bool {
	if f.spent || len(f.calls) > 0 && !slices.Contains(f.calls, call) {
		return false
	}
	if f.times > 0 {
		f.times--
		f.spent = f.times == 0
	}
	return true
}

// Hang takes a call and never answers, until the client goes, the head is stopped, or its faults are set anew.
func Hang() Fault {
	return Fault{serve: func(_ http.ResponseWriter, r *http.Request, _ http.Handler, released <-chan struct{}) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-released:
		}
		panic(http.ErrAbortHandler)
	}}
}

// HangAfter carries the call out and then never answers: the client cannot know.
func HangAfter() Fault {
	hang := Hang()
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, head http.Handler, released <-chan struct{}) {
		head.ServeHTTP(httptest.NewRecorder(), r)
		hang.serve(w, r, head, released)
	}}
}

// Status answers with this status and an empty body, as deployed heads do when something fails inside. The call is not carried out.
func Status(code int) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler, _ <-chan struct{}) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(code)
	}}
}

// StatusAfter carries the call out and then answers with this status and an empty body.
func StatusAfter(code int) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, head http.Handler, _ <-chan struct{}) {
		head.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(code)
	}}
}

// Busy answers 429 and asks to come again after some seconds.
func Busy(seconds int) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler, _ <-chan struct{}) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Retry-After", fmt.Sprint(seconds))
		w.WriteHeader(http.StatusTooManyRequests)
	}}
}

// Answer answers with this body, whatever was asked. The call is not carried out.
func Answer(code int, contentType, body string) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler, _ <-chan struct{}) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		io.WriteString(w, body)
	}}
}

// Page answers with a web page, as a proxy does that has lost its head.
func Page(code int) Fault {
	return Answer(code, "text/html", fmt.Sprintf("<html><head><title>%d %s</title></head></html>\n", code, http.StatusText(code)))
}

// Empty claims that nothing is there: what heads say of an entry that is not there, of a wrong token, and sometimes by mistake.
func Empty() Fault {
	const envelope = `{"status":"OK","message":"success","value":%s,"version":"1.0.5"}`
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler, _ <-chan struct{}) {
		io.Copy(io.Discard, r.Body)
		value := `{}`
		switch path.Base(r.URL.Path) {
		case "enumerateScope":
			value = `{"entries":[]}`
		case "watchScope":
			value = `{"rev":"comettest.0","whole":true,"families":[]}`
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, envelope, value)
	}}
}

// BadCertificate refuses the client's certificate, as deployed heads do for a moment while they race with each other.
func BadCertificate() Fault {
	return Answer(http.StatusBadRequest, "application/json",
		`{"message":"Invalid certificate: Unauthorized client","value":"{Unauthorized client}","version":"1.0.5","status":"status"}`)
}

// Cut carries the call out, sends the first n bytes of the answer's body, and breaks the connection; with n < 0 before any header.
func Cut(n int) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, head http.Handler, _ <-chan struct{}) {
		answer := answerOf(head, r)
		if n < 0 {
			panic(http.ErrAbortHandler)
		}
		copyHeader(w, answer)
		body := answer.Body.Bytes()
		w.Write(body[:min(n, len(body)-1)])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Slow carries the call out and sends the answer byte by byte, with a pause before each.
func Slow(pause time.Duration) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, head http.Handler, released <-chan struct{}) {
		answer := answerOf(head, r)
		copyHeader(w, answer)
		for _, b := range answer.Body.Bytes() {
			select {
			case <-r.Context().Done():
				return
			case <-released:
				return
			case <-time.After(pause):
			}
			w.Write([]byte{b})
			http.NewResponseController(w).Flush()
		}
	}}
}

// Delay carries the call out and answers after a while.
func Delay(d time.Duration) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, head http.Handler, released <-chan struct{}) {
		answer := answerOf(head, r)
		select {
		case <-r.Context().Done():
		case <-released:
		case <-time.After(d):
		}
		copyHeader(w, answer)
		w.Write(answer.Body.Bytes())
	}}
}

// Garble answers with what is not HTTP, and repeats the request in it.
func Garble() Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler, _ <-chan struct{}) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer conn.Close()
		echo := fmt.Sprint(r.URL.RequestURI(), r.Header)
		fmt.Fprintf(conn, "HTTP/1.1 %s what?\r\n\r\n", strings.ReplaceAll(echo, " ", "_"))
	}}
}

// Huge answers with a body of n bytes of JSON.
func Huge(n int) Fault {
	return Fault{serve: func(w http.ResponseWriter, r *http.Request, _ http.Handler, _ <-chan struct{}) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"status":"OK","value":"`)
		for chunk := bytes.Repeat([]byte("x"), 64<<10); n > 0; n -= len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		io.WriteString(w, `"}`)
	}}
}

// Reset breaks the connection with a TCP reset before the call is looked at.
func Reset() Fault {
	return Fault{serve: func(w http.ResponseWriter, _ *http.Request, _ http.Handler, _ <-chan struct{}) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := below(conn).(*net.TCPConn); ok {
			tcp.SetLinger(0)
			tcp.Close() // before TLS says goodbye
		}
		conn.Close()
	}}
}

// below is the TCP connection under those that TLS and the wire put around it.
func below(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if w, ok := c.(*conn); ok {
		c = w.Conn
	}
	return c
}

func answerOf(head http.Handler, r *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	head.ServeHTTP(answer, r)
	return answer
}

// copyHeader sends the recorded header with the length of the whole body.
func copyHeader(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
	w.WriteHeader(answer.Code)
}
