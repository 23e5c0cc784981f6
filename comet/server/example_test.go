package server_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
)

// A head that checks no certificates, asked as deployed clients ask. A real one is served by Serve, over TLS, and knows by
// WithTrust who may create.
func Example() {
	dir, err := os.MkdirTemp("", "comet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := bolt.Open(filepath.Join(dir, "comet.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	head := httptest.NewServer(server.New(store, server.WithoutCertificateChecks()))
	defer head.Close()

	const entry = "contextID=slice&family=hostsall&Key=vm&readToken=Reads-0001"
	answer, err := http.Post(head.URL+"//writeScope?"+entry+"&writeToken=Writes-0001", "application/json", strings.NewReader(`{"val_":"[]"}`))
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	answer, err = http.Get(head.URL + "//readScope?" + entry)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(body))
	http.DefaultClient.CloseIdleConnections()
	// Output: {"status":"OK","message":"success","value":{"contextId":"slice","family":"hostsall","key":"vm","value":"{\"val_\":\"[]\"}"},"version":"1.0.5"}
}
