package doctor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// trust is what the files give: all of it, or only the CA where the identity is broken, or nothing.
type trust struct {
	files  tlsconfig.Files
	names  tlsconfig.Names
	unread bool // some of the settings could not be read, and may have named more files
	live   *tlsconfig.Live
}

// named tells whether an identity is named, usable or not.
func (t *trust) named() bool { return t.unread || t.files.KeyStore+t.files.Cert+t.files.Key != "" }

// open reads the files and says what is in them. What is broken is left out, so that heads can be examined with the rest.
func (t *trust) open() []Check {
	live, err := open(t.files, t.names)
	if err == nil {
		t.live = live
		return append(t.inUse(live.Status()), t.rule())
	}
	var checks []Check
	if live, err = open(tlsconfig.Files{CA: t.files.CA, CAPassword: t.files.CAPassword}, t.names); err == nil {
		t.live = live
		checks = append(checks, t.inUse(live.Status())...)
	} else {
		checks = append(checks, brokenCA(t.files.CA, err))
	}
	own := t.files
	own.CA, own.CAPassword = "", tlsconfig.Password{}
	if live, err := open(own, tlsconfig.Names{Insecure: true}); err == nil {
		checks = append(checks, t.inUse(live.Status())...)
		live.Close()
	} else {
		checks = append(checks, Check{identityPath(own), "identity", Problem, err.Error(), mendIdentity(own, err)})
	}
	return append(checks, t.rule())
}

func open(files tlsconfig.Files, names tlsconfig.Names) (*tlsconfig.Live, error) {
	return tlsconfig.Open(files, names, tlsconfig.WithInterval(0), tlsconfig.WithLogger(slog.New(slog.DiscardHandler)))
}

func (t *trust) close() {
	if t.live != nil {
		t.live.Close()
	}
}

// config is how a head is dialled; without a CA it cannot be verified.
func (t *trust) config(head string) *tls.Config {
	address := hostPort(head)
	if t.live != nil {
		return t.live.Client(address)
	}
	host, _, _ := net.SplitHostPort(address)
	return unverified(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: host})
}

// saidOfInsecure is the warning of tlsconfig that the name rule gives here.
const saidOfInsecure = "certificates of heads are not verified"

// inUse says what is in the files that could be read. Warnings of tlsconfig end with a colon and what to do.
func (t *trust) inUse(status tlsconfig.Status) (checks []Check) {
	for _, f := range status.Files {
		checks = append(checks, Check{f.Path, f.Role, OK, f.Form + ": " + contents(f), ""})
	}
	for _, w := range status.Warnings {
		if strings.HasPrefix(w, saidOfInsecure) {
			continue
		}
		end := max(strings.LastIndex(w, ": "), 0)
		c := Check{"certificates", "files", Warning, w[:end], strings.TrimPrefix(w[end:], ": ")}
		for _, f := range status.Files {
			if strings.Contains(w, f.Path) || strings.HasPrefix(w, f.Role+": ") {
				c.About, c.Step = f.Path, f.Role
			}
		}
		if strings.HasPrefix(w, "key store ") {
			c.DoThis = "name only what is meant: --keystore, or --cert and --key"
		}
		checks = append(checks, c)
	}
	return checks
}

// contents lists the certificates of a file: of an identity its own, of a CA all.
func contents(f tlsconfig.FileStatus) string {
	var said []string
	for _, c := range f.Certificates {
		said = append(said, fmt.Sprintf("%q, %s", c.Subject, validity(c.NotBefore, c.NotAfter)))
	}
	if f.Role != "identity" {
		return listed(said)
	}
	return fmt.Sprintf("%s, issued by %q, %s, %d in the chain", said[0], f.Certificates[0].Issuer, f.Certificates[0].Key, len(said))
}

// validity says until when something is valid, and how long that is.
func validity(from, until time.Time) string {
	const day = 24 * time.Hour
	now := time.Now()
	switch left := until.Sub(now); {
	case left < 0:
		return fmt.Sprintf("expired %s, %d days ago", date(until), int(-left/day))
	case now.Before(from):
		return fmt.Sprintf("not valid before %s", date(from))
	default:
		return fmt.Sprintf("valid until %s, %d days", date(until), int(left/day))
	}
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// rule says which names of heads are accepted.
func (t *trust) rule() Check {
	c := Check{"names", "names", OK, "heads may be named by the host of their URL", ""}
	switch {
	case t.names.Insecure:
		c.State, c.Says = Warning, "heads are not verified at all: whoever is in between sees and changes everything"
		c.DoThis = "leave --insecure away and name the CA with --cacert"
	case t.names.Any:
		c.State, c.Says = Warning, "heads may have any name under the CA: whoever it gave a certificate can pose as a head"
		c.DoThis = "name the heads with --server-name in place of --any-server-name"
	case len(t.names.Accept) > 0:
		c.Says += ", or as --server-name says"
	}
	return c
}

func identityPath(f tlsconfig.Files) string {
	for _, path := range []string{f.KeyStore, f.Cert, f.Key} {
		if path != "" {
			return path
		}
	}
	return "identity"
}

func brokenCA(path string, err error) Check {
	c := Check{path, "CA", Problem, err.Error(), ""}
	_, expired := errors.AsType[*tlsconfig.ValidityError](err)
	switch {
	case errors.Is(err, tlsconfig.ErrNoCA):
		c.About, c.DoThis = "CA", "name it with --cacert; whoever runs the heads has it"
	case errors.Is(err, tlsconfig.ErrPublicCA):
		c.DoThis = "give --server-name in place of --any-server-name"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		c.DoThis = mendPath
	case errors.Is(err, tlsconfig.ErrPassword):
		c.DoThis = "give the CA's certificate by itself, as PEM or DER"
	case expired:
		c.DoThis = mendValidity
	default:
		c.DoThis = "get the CA's certificate from whoever runs the heads, as PEM or DER"
	}
	return c
}

const (
	mendPath     = "name a file that is there and that this user may read"
	mendValidity = "get one that is valid now; if this one should be, set the clock of this machine"
)

// mendIdentity says what to do about a key store or a pair that cannot be used.
func mendIdentity(f tlsconfig.Files, err error) string {
	_, expired := errors.AsType[*tlsconfig.ValidityError](err)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return mendPath
	case errors.Is(err, tlsconfig.ErrPassword):
		return "give the right password with --keystore-password-file; of a key with one of its own with --key-password-file"
	case errors.Is(err, tlsconfig.ErrAlias):
		return "choose with --keystore-alias"
	case errors.Is(err, tlsconfig.ErrNoKey) && f.KeyStore == "" && f.Key == "":
		return "name its key with --key (COMETCLIENTKEY)"
	case errors.Is(err, tlsconfig.ErrNoCertificate) && f.KeyStore == "" && f.Cert == "":
		return "name its certificate with --cert (COMETCLIENTCERT)"
	case errors.Is(err, tlsconfig.ErrNoKey):
		return "name the key store of the certificate's owner with --keystore, the right --keystore-alias, or the key with --key"
	case errors.Is(err, tlsconfig.ErrMismatch), errors.Is(err, tlsconfig.ErrNoCertificate):
		return "name the certificate that was issued for this key"
	case expired:
		return mendValidity
	}
	return "have it exported anew as PKCS#12, JKS or PEM"
}
