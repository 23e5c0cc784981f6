package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// DefaultCA is where a VM's CA lies, below its root, when neither settings nor user data have one.
const DefaultCA = "etc/comet/ca.pem"

// ErrNoTrust: nothing says which heads to trust, so none is asked.
var ErrNoTrust = errors.New("no CA: put one into the user data (cometcacert) or into /" + DefaultCA)

// Connect returns a client of the heads in the user data. The CA is the one in the user data, else the file DefaultCA below root;
// without either the error is ErrNoTrust. The name that heads' certificates must bear may come with the user data as well.
func Connect(self orca.UserData, root string, options ...comet.Option) (*comet.Client, error) {
	ca := self.CACert
	if len(ca) == 0 {
		text, err := os.ReadFile(filepath.Join(root, DefaultCA))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNoTrust
		}
		if err != nil {
			return nil, fmt.Errorf("CA: %w", err)
		}
		ca = text
	}
	roots, err := tlsconfig.ParseCA(ca, tlsconfig.Password{})
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	config := tlsconfig.Client(roots, nil)
	config.ServerName = self.ServerName
	return comet.New(self.CometHost, config, options...)
}
