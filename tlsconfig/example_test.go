package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// A head and a caller with certificates of our own making, both following their files.
func ExampleOpen() {
	parent, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(parent)
	d, err := tlsconfig.WriteDevelopment(filepath.Join(parent, "certs"))
	if err != nil {
		log.Fatal(err)
	}

	atHead, err := tlsconfig.Open(d.Server, tlsconfig.Names{})
	if err != nil {
		log.Fatal(err)
	}
	defer atHead.Close()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.TLS.PeerCertificates[0].Subject, atHead.Trusted(r.TLS))
	}))
	server.Listener = tls.NewListener(server.Listener, atHead.Server())
	server.Start()
	defer server.Close()
	addr := server.Listener.Addr().String()

	password, err := os.ReadFile(d.PasswordFile)
	if err != nil {
		log.Fatal(err)
	}
	atCaller, err := tlsconfig.Open(tlsconfig.Files{
		CA:               d.CA,
		KeyStore:         d.ClientJKS,
		KeyStorePassword: tlsconfig.NewPassword(strings.TrimSpace(string(password))),
	}, tlsconfig.Names{})
	if err != nil {
		log.Fatal(err)
	}
	defer atCaller.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: atCaller.Client(addr)}}
	response, err := client.Get("https://" + addr)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	answer := make([]byte, 100)
	n, _ := response.Body.Read(answer)
	fmt.Print(string(answer[:n]))
	// Output: CN=COMET development client true
}

func ExampleParseNames() {
	names, err := tlsconfig.ParseNames([]string{"*.exogeni.net", "10.0.0.1:8111=comet.example.net"})
	fmt.Println(names, err)
	_, err = tlsconfig.ParseNames([]string{"*.net"})
	fmt.Println(err)
	// Output:
	// map[:[*.exogeni.net] 10.0.0.1:8111:[comet.example.net]] <nil>
	// server name "*.net": the pattern is too wide: two labels or more belong behind the star
}

func ExampleParseCA() {
	authority, err := tlsconfig.NewAuthority("my CA", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	certs, err := tlsconfig.ParseCA(authority.Certificate().Raw, tlsconfig.Password{})
	fmt.Println(certs[0].Subject, err)
	_, err = tlsconfig.ParseCA([]byte("<html>not found</html>"), tlsconfig.Password{})
	fmt.Println(err)
	// Output:
	// CN=my CA <nil>
	// malformed: neither PEM, DER, JKS nor PKCS#12, or cut short; a CA as PEM or DER is wanted
}

// Fixed configurations, as tests use them.
func ExampleClient() {
	authority, err := tlsconfig.NewAuthority("my CA", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	identity, err := authority.Server("head", "127.0.0.1")
	if err != nil {
		log.Fatal(err)
	}
	roots := []*x509.Certificate{authority.Certificate()}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsconfig.Server(identity, roots))
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), tlsconfig.Client(roots, nil))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(conn.ConnectionState().PeerCertificates[0].Subject)
	// Output: CN=head
}
