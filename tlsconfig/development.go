package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// The files of a development folder.
const (
	caDERFile     = "ca.der"
	caPEMFile     = "ca.pem"
	caKeyFile     = "ca.key"
	serverFile    = "server.pem"
	serverKeyFile = "server.key"
	clientFile    = "client.pem"
	clientKeyFile = "client.key"
	clientJKSFile = "client.jks"
	clientP12File = "client.p12"
	passwordFile  = "keystore.password"
)

var developmentFiles = []string{
	caDERFile, caPEMFile, caKeyFile, serverFile, serverKeyFile, clientFile, clientKeyFile, clientJKSFile, clientP12File, passwordFile,
}

// developmentYears is how long certificates for development are valid.
const developmentYears = 10

// Development says where the files of a development folder are.
type Development struct {
	Dir     string
	Created bool // by this call; false: it was there, complete, and was left as it is

	Hosts []string // names and addresses of the head that its certificate is for, those of an earlier call where the folder was there

	CA     string // the CA's certificate, PEM; ca.der beside it is the same
	Server Files  // for a head: certificate, key and CA, PEM
	Client Files  // for a caller: certificate, key and CA, PEM

	ClientJKS, ClientPKCS12 string // the caller's identity as key stores
	PasswordFile            string // holds the password of both
}

// WriteDevelopment makes a CA with a head's and a caller's identity in dir, in every form: ca.der, ca.pem, ca.key, server.pem and .key,
// client.pem and .key, client.jks, client.p12 and keystore.password. The head is named by hosts, and always by localhost and the
// loopback addresses. The folder is 0700, keys and password 0600.
//
// A folder that is complete is left as it is, whatever hosts says. One that is not is an error that names what is missing: nothing is ever
// overwritten. All files appear at once, or none.
func WriteDevelopment(dir string, hosts ...string) (Development, error) {
	d := developmentIn(dir)
	complete, err := d.check()
	if err != nil {
		return d, err
	}
	if complete {
		return d.withHosts()
	}
	files, err := makeDevelopment(hosts)
	if err != nil {
		return d, err
	}
	if err := placeFolder(dir, files); err != nil {
		if complete, checkErr := d.check(); complete && checkErr == nil {
			return d.withHosts() // another process was first
		}
		return d, fmt.Errorf("write certificates: %w", err)
	}
	d.Created = true
	return d.withHosts()
}

// withHosts adds what the head's certificate says.
func (d Development) withHosts() (Development, error) {
	data, err := readFile(d.Server.Cert)
	if err != nil {
		return d, fmt.Errorf("certificate: %w", err)
	}
	certs, err := pemCertificates(data)
	if err == nil && len(certs) == 0 {
		err = ErrNoCertificate
	}
	if err != nil {
		return d, fmt.Errorf("certificate %s: %w", d.Server.Cert, err)
	}
	d.Hosts = namesOf(certs[0])
	return d, nil
}

// LoadAuthority returns the CA that WriteDevelopment keeps in dir, to issue more identities with.
func LoadAuthority(dir string) (*Authority, error) {
	certPath, keyPath := filepath.Join(dir, caPEMFile), filepath.Join(dir, caKeyFile)
	cert, err := readFile(certPath)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	key, err := readFile(keyPath)
	if err != nil {
		return nil, fmt.Errorf("key of the CA: %w", err)
	}
	identity, err := ParseKeyPair(cert, key, Password{})
	if err != nil {
		return nil, fmt.Errorf("CA %s with key %s: %w", certPath, keyPath, err)
	}
	return AuthorityFrom(identity)
}

func developmentIn(dir string) Development {
	in := func(name string) string { return filepath.Join(dir, name) }
	return Development{
		Dir:          dir,
		CA:           in(caPEMFile),
		Server:       Files{CA: in(caPEMFile), Cert: in(serverFile), Key: in(serverKeyFile)},
		Client:       Files{CA: in(caPEMFile), Cert: in(clientFile), Key: in(clientKeyFile)},
		ClientJKS:    in(clientJKSFile),
		ClientPKCS12: in(clientP12File),
		PasswordFile: in(passwordFile),
	}
}

// check tells whether the folder is complete; one with only some of the files, or with others, is an error.
func (d Development) check() (complete bool, err error) {
	entries, err := os.ReadDir(d.Dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for certificates: %w", err)
	}
	var missing []string
	for _, name := range developmentFiles {
		if _, err := os.Stat(filepath.Join(d.Dir, name)); err != nil {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) == len(developmentFiles):
		return false, fmt.Errorf("certificates in %s: the folder holds other files; name an empty or a new one", d.Dir)
	case len(missing) > 0:
		return false, fmt.Errorf("certificates in %s: missing %s; put them back, or move the folder away to have all made anew", d.Dir, listed(missing))
	}
	return true, nil
}

// madeFile is a file to be written.
type madeFile struct {
	name string
	data []byte
	mode os.FileMode
}

func makeDevelopment(hosts []string) ([]madeFile, error) {
	now := time.Now()
	// A name of its own: a client that trusts another folder's CA is then told of two names, and not of one with two keys.
	authority, err := NewAuthority("COMET development CA "+rand.Text()[:6], now.AddDate(developmentYears, 0, 0).Sub(now))
	if err != nil {
		return nil, err
	}
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, h := range hosts {
		if !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	server, err := authority.Server("COMET development head", names...)
	if err != nil {
		return nil, err
	}
	client, err := authority.Client("COMET development client")
	if err != nil {
		return nil, err
	}
	ca := authority.Certificate()
	m := &made{}
	m.add(caDERFile, 0o644, ca.Raw, nil)
	m.add(caPEMFile, 0o644, certPEM(ca.Raw), nil)
	m.addKey(caKeyFile, authority.identity.PrivateKey)
	m.add(serverFile, 0o644, certPEM(server.Certificate...), nil)
	m.addKey(serverKeyFile, server.PrivateKey)
	m.add(clientFile, 0o644, certPEM(client.Certificate...), nil)
	m.addKey(clientKeyFile, client.PrivateKey)
	m.addStores(client, ca)
	return m.files, m.err
}

// made gathers files; after the first failure nothing more is added.
type made struct {
	files []madeFile
	err   error
}

func (m *made) add(name string, mode os.FileMode, data []byte, err error) {
	if m.err == nil && err != nil {
		m.err = fmt.Errorf("make %s: %w", name, err)
	}
	m.files = append(m.files, madeFile{name, data, mode})
}

func (m *made) addKey(name string, key crypto.PrivateKey) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	m.add(name, 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err)
}

func (m *made) addStores(client tls.Certificate, ca *x509.Certificate) {
	password := rand.Text()
	jks, err := encodeJKS(client, ca, password)
	m.add(clientJKSFile, 0o600, jks, err)
	p12, err := pkcs12.Modern2023.Encode(client.PrivateKey, client.Leaf, []*x509.Certificate{ca}, password)
	m.add(clientP12File, 0o600, p12, err)
	m.add(passwordFile, 0o600, []byte(password+"\n"), nil)
}

func certPEM(ders ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // to memory
	}
	return b.Bytes()
}

func encodeJKS(client tls.Certificate, ca *x509.Certificate, password string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		return nil, err
	}
	entry := keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: der}
	for _, cert := range [][]byte{client.Leaf.Raw, ca.Raw} {
		entry.CertificateChain = append(entry.CertificateChain, keystore.Certificate{Type: "X509", Content: cert})
	}
	jks := keystore.New()
	if err := jks.SetPrivateKeyEntry("comet", entry, []byte(password)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = jks.Store(&b, []byte(password))
	return b.Bytes(), err
}
