package guest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/internal/atomicfile"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// DefaultCA is where a VM's CA lies, below its root, when neither settings nor user data have one.
const DefaultCA = "etc/comet/ca.pem"

// ErrNoTrust: nothing says which heads to trust, so none is asked.
var ErrNoTrust = errors.New("no CA says which heads to trust: name one with --cacert, or put it into the user data (cometcacert) or into /" + DefaultCA)

// Trust is what a VM's settings say of whom it trusts. The zero value leaves it to the user data and to DefaultCA.
type Trust struct {
	// Files has the CA, which comes before that of the user data, and perhaps an identity to show to heads.
	Files tlsconfig.Files
	// Names are the names that heads may bear; the host in their URL is accepted always. Where there are none those of the user data
	// count. Any name under the CA is accepted only where it is asked for here, and never under a public CA. With Insecure heads are
	// not verified, need no CA, and may be http://.
	Names tlsconfig.Names
	// Logger gets warnings about certificates, such as of their end; where it is nil nobody does.
	Logger *slog.Logger
}

// Connect is Trust.Connect for a VM without settings.
func Connect(self orca.UserData, root string, options ...comet.Option) (*comet.Client, error) {
	return Trust{}.Connect(self, root, options...)
}

// Connect returns a client of the heads in the user data. Their CA is that of the settings, else that of the user data, else the file
// DefaultCA below root; without any the error is ErrNoTrust. The files are followed: each handshake takes what is in them then.
func (t Trust) Connect(self orca.UserData, root string, options ...comet.Option) (*comet.Client, error) {
	heads, err := comet.ParseHeads(self.CometHost)
	if err != nil {
		return nil, fmt.Errorf("comethost: %w", err)
	}
	isPlain := func(head string) bool { return strings.HasPrefix(head, "http://") }
	if i := slices.IndexFunc(heads, isPlain); i >= 0 {
		if !t.Names.Insecure {
			return nil, fmt.Errorf("comethost: %s has no TLS, so that all could read the slice's tokens: use https://, or --insecure if you must", heads[i])
		}
		options = slices.Concat(options, []comet.Option{comet.WithoutTLS()})
	}
	live, err := t.open(self, root)
	if err != nil {
		return nil, err
	}
	return comet.New(self.CometHost, nil, slices.Concat(options, []comet.Option{comet.WithTrust(live)})...)
}

// open returns the trust, which need not be closed: nothing of it runs between handshakes.
func (t Trust) open(self orca.UserData, root string) (*tlsconfig.Live, error) {
	files, err := t.files(self, root)
	if err != nil {
		return nil, err
	}
	names, err := t.names(self)
	if err != nil {
		return nil, err
	}
	return tlsconfig.Open(files, names, tlsconfig.WithInterval(0), tlsconfig.WithLogger(cmp.Or(t.Logger, slog.New(slog.DiscardHandler))))
}

// files are those of the settings, with the CA that counts.
func (t Trust) files(self orca.UserData, root string) (tlsconfig.Files, error) {
	f := t.Files
	switch {
	case f.CA != "" || t.Names.Insecure:
		return f, nil
	case len(self.CACert) > 0:
		f.CA, f.CAText = "user data (cometcacert)", string(self.CACert)
		return f, nil
	}
	f.CA = "/" + DefaultCA
	text, err := readCA(root)
	if filepath.Clean(cmp.Or(root, "/")) != "/" { // it is not the file of that name
		f.CAText = text
	}
	return f, err
}

// readCA reads DefaultCA below root, out of which no link leads.
func readCA(path string) (string, error) {
	root, err := frame.OpenRoot(path)
	if err != nil {
		return "", err
	}
	defer root.Close()
	text, err := atomicfile.Read(root, DefaultCA, atomicfile.ReplaceOptions{})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrNoTrust
	case err != nil:
		return "", fmt.Errorf("CA /%s: %w", DefaultCA, err)
	case len(text) == 0:
		return "", fmt.Errorf("CA /%s: %w", DefaultCA, errEmptyFile)
	}
	return string(text), nil
}

var errEmptyFile = errors.New("it is empty")

// names are those of the settings, else those of the user data.
func (t Trust) names(self orca.UserData) (tlsconfig.Names, error) {
	n := t.Names
	if n.Any || n.Insecure || len(n.Accept) > 0 {
		return n, nil
	}
	accept, err := tlsconfig.ParseNames(strings.FieldsFunc(self.ServerName, func(r rune) bool { return r == ',' || r == ' ' }))
	if err != nil {
		return n, fmt.Errorf("user data: cometservername: %w", err)
	}
	n.Accept = accept
	return n, nil
}
