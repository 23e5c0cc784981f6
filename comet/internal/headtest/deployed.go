package headtest

import (
	"crypto/tls"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// What the environment may say of a head that is deployed, for benchmarks to run against it: its URL, a file with its CA (DER or PEM),
// a client's certificate and key, and a name that its certificate may bear beside the URL's.
const (
	Deployed           = "TEST_DEPLOYED"
	DeployedCA         = "TEST_DEPLOYED_CACERT"
	DeployedCert       = "TEST_DEPLOYED_CERT"
	DeployedKey        = "TEST_DEPLOYED_KEY"
	DeployedServerName = "TEST_DEPLOYED_SERVER_NAME"
)

func deployed(t testing.TB) (head string, config *tls.Config) {
	t.Helper()
	head = strings.TrimRight(os.Getenv(Deployed), "/")
	u, err := url.Parse(head)
	require.NoError(t, err)
	names := tlsconfig.Names{}
	if name := os.Getenv(DeployedServerName); name != "" {
		names.Accept = map[string][]string{"": {name}}
	}
	files := tlsconfig.Files{CA: os.Getenv(DeployedCA), Cert: os.Getenv(DeployedCert), Key: os.Getenv(DeployedKey)}
	live, err := tlsconfig.Open(files, names)
	require.NoError(t, err)
	t.Cleanup(func() { live.Close() })
	config = live.Client(u.Host)
	config.ClientSessionCache = nil
	return head, config
}
