package guest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// DefaultCA is where a VM's CA lies, below its root, when neither settings nor user data have one.
const DefaultCA = "etc/comet/ca.pem"

// ErrNoTrust: nothing says which heads to trust, so none is asked.
var ErrNoTrust = errors.New("no CA: put one into the user data (cometcacert) or into /" + DefaultCA)

// Connect returns a client of the heads in the user data. The CA is the one in the user data, else the file DefaultCA below root;
// without either the error is ErrNoTrust. The name that heads' certificates must bear may come with the user data as well. Heads
// without TLS are refused.
func Connect(self orca.UserData, root string, options ...comet.Option) (*comet.Client, error) {
	heads, err := comet.ParseHeads(self.CometHost)
	if err != nil {
		return nil, fmt.Errorf("user data: comethost: %w", err)
	}
	for _, head := range heads {
		if !strings.HasPrefix(head, "https://") {
			return nil, fmt.Errorf("user data: comethost: %s has no TLS; the slice's tokens would be there for all to read", head)
		}
	}
	ca, from, err := findCA(self, root)
	if err != nil {
		return nil, err
	}
	roots, err := tlsconfig.ParseCA(ca, tlsconfig.Password{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	config := tlsconfig.Client(roots, nil)
	config.ServerName = self.ServerName
	return comet.New(self.CometHost, config, options...)
}

// findCA returns the CA and where it comes from.
func findCA(self orca.UserData, path string) (ca []byte, from string, err error) {
	if len(self.CACert) > 0 {
		return self.CACert, "user data: cometcacert", nil
	}
	root, err := openRoot(path)
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	from = "CA /" + DefaultCA
	ca, err = atomicfile.Read(root, DefaultCA, atomicfile.ReplaceOptions{})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, from, ErrNoTrust
	case err != nil:
		return nil, from, fmt.Errorf("%s: %w", from, err)
	}
	return ca, from, nil
}

// openRoot opens the root folder, / where none is named.
func openRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(cmp.Or(path, "/"))
	if err != nil {
		return nil, fmt.Errorf("root folder: %w", err)
	}
	return root, nil
}
