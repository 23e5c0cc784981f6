package server_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// dial connects to the head over TLS, for requests that no HTTP client sends.
func (h *head) dial() net.Conn {
	h.Helper()
	ca, err := authority()
	require.NoError(h, err)
	c, err := tls.Dial("tcp", h.addr, tlsconfig.Client([]*x509.Certificate{ca.Certificate()}, nil))
	require.NoError(h, err)
	h.Cleanup(func() { c.Close() })
	require.NoError(h, c.SetDeadline(time.Now().Add(time.Minute)))
	return c
}

// raw sends bytes over a connection of their own, and returns the codes of all answers until the head ends it.
func (h *head) raw(text string) (codes []int) {
	h.Helper()
	c := h.dial()
	go io.WriteString(c, text)
	for in := bufio.NewReader(c); ; {
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			return codes
		}
		io.Copy(io.Discard, response.Body)
		codes = append(codes, response.StatusCode)
	}
}

const (
	last   = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" // is answered with 404, and ends the connection
	writes = "POST /writeScope?Key=vm&contextID=slice&family=hostsall&readToken=" + readToken + "&writeToken=" + writeToken + " HTTP/1.1\r\nHost: x\r\n"
)

// Requests whose end two programs may see in different places end their connection, so that nothing that follows is taken for a
// request: what follows each of these would remove the entry.
func TestSmuggledRequestsAreNotAnswered(t *testing.T) {
	h := start(t, server.WithoutCertificateChecks())
	removes := "DELETE /deleteScope?" + entry(readToken, writeToken) + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	const chunks = "3\r\ntwo\r\n0\r\n\r\n"
	for what, c := range map[string]struct {
		header, body string
		code         int
	}{
		"two lengths":             {"Content-Length: 3\r\nContent-Length: 200", "two", 400},
		"a list of lengths":       {"Content-Length: 3, 3", "two", 400},
		"a length with a sign":    {"Content-Length: +3", "two", 400},
		"a length below 0":        {"Content-Length: -1", "two", 400},
		"a length in hexadecimal": {"Content-Length: 0x3", "two", 400},
		"a length too long":       {"Content-Length: 99999999999999999999", "two", 400},
		"a folded length":         {"Content-Length: 3\r\n X: y", "two", 400},
		"length and chunks":       {"Content-Length: 200\r\nTransfer-Encoding: chunked", chunks, 200},
		"chunks and length":       {"Transfer-Encoding: chunked\r\nContent-Length: 3", chunks, 200},
		"a folded encoding":       {"Transfer-Encoding:\r\n chunked\r\nContent-Length: 3", chunks, 200},
		"a blank before a colon":  {"Transfer-Encoding : chunked", chunks, 400},
		"an unknown encoding":     {"Transfer-Encoding: xchunked", chunks, 501},
		"no encoding by name":     {"Transfer-Encoding: identity\r\nContent-Length: 3", "two", 501},
		"two encodings":           {"Transfer-Encoding: chunked, identity", chunks, 501},
		"an encoding twice":       {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunks, 501},
		"half a line end":         {"Transfer-Encoding: chunked", "3\ntwo\r\n0\r\n\r\n", 400},
		"half of an extension's":  {"Transfer-Encoding: chunked", "3;a=\nb\r\ntwo\r\n0\r\n\r\n", 400},
		"a chunk too long":        {"Transfer-Encoding: chunked", "fffffffffffffffff\r\ntwo\r\n0\r\n\r\n", 400},
		"a long extension":        {"Transfer-Encoding: chunked", "3;" + strings.Repeat("x", 100_000) + "\r\ntwo\r\n0\r\n\r\n", 400},
		"a long trailer":          {"Transfer-Encoding: chunked", "3\r\ntwo\r\n0\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n", 400},
		"a length in the trailer": {"Transfer-Encoding: chunked", "3\r\ntwo\r\n0\r\nContent-Length: 3\r\n\r\n", 200},
		"NUL in a header":         {"Content-Length: 3\r\nX: \x00", "two", 400},
		"NUL in its name":         {"Content-Length: 3\r\nX\x00: y", "two", 400},
		"CR in a header":          {"Content-Length: 3\r\nX: a\rContent-Length: 200", "two", 400},
		"another head's name":     {"Content-Length: 3\r\nHost: y", "two", 400},
		"an expectation":          {"Content-Length: 3\r\nExpect: more", "two", 417},
	} {
		t.Run(what, func(t *testing.T) {
			h.put("one")
			require.Equal(t, []int{c.code}, h.raw(writes+c.header+"\r\n\r\n"+c.body+removes))
			want := "one"
			if c.code == 200 {
				want = "two"
			}
			require.Equal(t, want, h.value())
		})
	}
	h.noSecrets()
}

// What has one meaning is served, however odd it looks, and the connection goes on; what a head does not know it says so.
func TestOddRequests(t *testing.T) {
	h := start(t, server.WithoutCertificateChecks())
	h.put("one")
	read := "readScope?" + entry(readToken, "") + " HTTP/1.1\r\n"
	for what, c := range map[string]struct {
		text  string
		codes []int
	}{
		"the same length twice":  {writes + "Content-Length: 3\r\nContent-Length: 3\r\n\r\none" + last, []int{200, 404}},
		"lines without CR":       {strings.ReplaceAll("GET /"+read+"Host: x\r\n\r\n", "\r\n", "\n") + last, []int{200, 404}},
		"a whole URL":            {"GET http://other:1/" + read + "Host: x\r\n\r\n" + last, []int{200, 404}},
		"a body nobody wants":    {"GET /" + read + "Host: x\r\nContent-Length: 3\r\n\r\nxxx" + last, []int{200, 404}},
		"a long one":             {"GET /" + read + "Host: x\r\nContent-Length: 600000\r\n\r\n" + strings.Repeat("x", 600_000) + last, []int{200}},
		"many at once":           {strings.Repeat("GET /"+read+"Host: x\r\n\r\n", 3) + last, []int{200, 200, 200, 404}},
		"an offer of HTTP/2":     {"GET /" + read + "Host: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n" + last, []int{200, 404}},
		"HTTP/2 at once":         {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + last, []int{404}},
		"a later HTTP":           {"GET /getVersion HTTP/9.9\r\nHost: x\r\n\r\n" + last, []int{505}},
		"no HTTP":                {"GET /getVersion\r\n\r\n" + last, []int{400}},
		"no name of a head":      {"GET /getVersion HTTP/1.1\r\n\r\n" + last, []int{400}},
		"CONNECT":                {"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n" + last, []int{404, 404}},
		"CONNECT to a call":      {"CONNECT /" + read + "Host: x\r\n\r\n" + last, []int{405, 404}},
		"OPTIONS *":              {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + last, []int{404, 404}},
		"no method":              {"G<T /" + read + "Host: x\r\n\r\n" + last, []int{400}},
		"a blank in the path":    {"GET /read Scope HTTP/1.1\r\nHost: x\r\n\r\n" + last, []int{400}},
		"NUL in the path":        {"GET /readScope\x00 HTTP/1.1\r\nHost: x\r\n\r\n" + last, []int{400}},
		"many headers":           {"GET /" + read + "Host: x\r\n" + strings.Repeat("X: y\r\n", 20_000) + "\r\n" + last, []int{431}},
		"a header without end":   {"GET /" + read + "Host: x\r\nX: " + strings.Repeat("y", 1<<20), []int{431}},
		"a path without end":     {"GET /" + strings.Repeat("y", 1<<20), []int{431}},
		"a query without end":    {"GET /readScope?" + strings.Repeat("&readToken="+readToken, 1<<15), []int{431}},
		"nothing but line ends":  {strings.Repeat("\r\n", 1<<15) + last, []int{400}},
		"TLS inside of TLS":      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 100) + "\r\n\r\n", []int{400}},
		"a name that is another": {"GET /" + read + "Host: 10.0.0.1:99\r\nX-Forwarded-For: 127.0.0.1\r\nX-HTTP-Method-Override: DELETE\r\nX-Original-URL: /deleteScope\r\n\r\n" + last, []int{200, 404}},
	} {
		t.Run(what, func(t *testing.T) { require.Equal(t, c.codes, h.raw(c.text)) })
	}
	require.Equal(t, "one", h.value())
	h.noSecrets()
}

// Paths that programs before or behind a head could read in two ways lead nowhere but to the call that they spell.
func TestPathTricks(t *testing.T) {
	h := start(t)
	h.put("one")
	c := h.client(trusted)
	for path, call := range map[string]bool{
		"/read%53cope": true, "/%72eadScope/": true, "/./%2e/readScope": true, "/..%2f..%2freadScope": true, "/x%2f..%2freadScope": true, "/deleteScope/../readScope": true,
		"/READSCOPE": false, "/readScope%00": false, "/readScope%0d%0a": false, "/readScope;a=b": false, "/readScope%3f": false, "/readScope.json": false, "/readScope%20": false,
		"/read\\..\\readScope": false, "/x/..%5creadScope": false, "/readScope/..;/deleteScope": false, "/%252freadScope": false, "/%c0%afreadScope": false, "/readScope%ff": false,
		"/healthz": false, "/readyz": false, "/metrics": false, "/backup": false, "/export": false, "/groups": false, "/purge": false, "/debug/pprof/": false, "/v1/readScope": false,
	} {
		for _, method := range []string{"GET", "POST"} {
			a := h.request(c, method, path+"?"+entry(readToken, ""), "")
			want := map[bool]int{true: map[string]int{"GET": 200, "POST": 405}[method], false: 404}[call]
			require.Equal(t, want, a.code, "%s %s", method, path)
			require.Empty(t, a.header.Get("Location"))
		}
	}
	require.Equal(t, "one", h.value())
	h.noSecrets()
}
