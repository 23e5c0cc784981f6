package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/admin"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func storeFlags() []urfave.Flag {
	return []urfave.Flag{
		stringFlag("store", "keep entries in etcd at `URL`, such as etcd://h1:2379,h2:2379,h3:2379/comet, which several heads may share"),
		stringFlag("store-cacert", "speak TLS to etcd, whose members' certificates lead to one in `FILE`"),
		stringFlag("store-cert", "the certificate to show to etcd, in `FILE`"),
		stringFlag("store-key", "the private key of --store-cert, in `FILE`"),
		stringFlag("store-user", "log in to etcd as `NAME`"),
		stringFlag("store-password-file", "the password of --store-user, in `FILE`"),
	}
}

// expiryFlag is for those who serve: operators' tools neither renew anything nor take it away.
func expiryFlag() urfave.Flag {
	return &urfave.DurationFlag{Name: "expiry", EnvVars: cli.Env("expiry"), Usage: "take away what nobody has read or written for `TIME`, such as 4320h, at least 10m, and at the latest for twice that: all that a read token shows in a context together; 0: nothing"}
}

// shortestExpiry is longer than any watch may wait, so that who waits renews.
const shortestExpiry = 10 * time.Minute

// storeSpec is where entries are kept and how long, as the flags say it.
type storeSpec struct {
	expiry   time.Duration // 0: for ever
	url      string        // empty: in a file of --data
	files    tlsconfig.Files
	user     string
	password tlsconfig.Password
}

func readStoreSpec(c *urfave.Context) (storeSpec, error) {
	s := storeSpec{
		expiry: c.Duration("expiry"),
		url:    cli.Given(c, "store"),
		files:  tlsconfig.Files{CA: cli.Given(c, "store-cacert"), Cert: cli.Given(c, "store-cert"), Key: cli.Given(c, "store-key")},
		user:   cli.Given(c, "store-user"),
	}
	passwordFile := cli.Given(c, "store-password-file")
	const hint = "see cometd serve --help"
	switch {
	case s.expiry != 0 && s.expiry < shortestExpiry:
		return s, cli.Usage("give more, or 0 for none", "--expiry %s is shorter than %s", s.expiry, shortestExpiry)
	case s.url == "" && (s.files != tlsconfig.Files{} || s.user != "" || passwordFile != ""):
		return s, cli.Usage(hint, "the flags --store-… are of no use without --store")
	case (s.files.Cert == "") != (s.files.Key == "") || s.files.Cert != "" && s.files.CA == "":
		return s, cli.Usage(hint, "--store-cert and --store-key go together, and with --store-cacert")
	case (s.user == "") != (passwordFile == ""):
		return s, cli.Usage(hint, "--store-user and --store-password-file go together")
	case s.url == "":
		return s, nil
	}
	if err := etcd.CheckURL(s.url); err != nil {
		return s, cli.Usage(hint, "--store: %w", err)
	}
	var err error
	if passwordFile != "" {
		if s.password, err = tlsconfig.ReadPassword(passwordFile); err != nil {
			return s, cli.Input(err)
		}
	}
	return s, nil
}

// closers end what a store stands on, the last one first.
type closers []func() error

func (all closers) close() (err error) {
	for i := len(all) - 1; i >= 0; i-- {
		err = errors.Join(err, all[i]())
	}
	return err
}

// storeName is what the embedded store is called, in the folder of --data.
const storeName = "comet.db"

// open opens the store; close ends it and what it stands on.
func (s storeSpec) open(c *urfave.Context, dir string, log *slog.Logger) (store server.Store, close func() error, err error) {
	if s.url == "" {
		return openFile(dir, s.expiry, log)
	}
	options, ends, err := s.options(log)
	if err != nil {
		return nil, nil, err
	}
	shared, err := etcd.Open(c.Context, s.url, options...)
	if err != nil {
		return nil, nil, errors.Join(etcdError(err), ends.close())
	}
	return shared, append(ends, shared.Close).close, nil
}

// options say how to reach etcd; what they stand on is to be closed after the store.
func (s storeSpec) options(log *slog.Logger) (options []etcd.Option, ends closers, err error) {
	options = append(options, etcd.WithLogger(log), etcd.WithExpiry(s.expiry))
	if s.files.CA != "" {
		live, err := tlsconfig.Open(s.files, tlsconfig.Names{}, tlsconfig.WithLogger(log))
		if err != nil {
			return nil, nil, cli.Input(err)
		}
		ends = append(ends, live.Close)
		options = append(options, etcd.WithTLSFor(live.Client))
	} else {
		log.Warn("values go to etcd without TLS; --store-cacert turns it on")
	}
	if s.user != "" {
		options = append(options, etcd.WithUser(s.user, s.password))
	}
	return options, ends, nil
}

func etcdError(err error) error {
	if errors.Is(err, etcd.ErrNotStore) || errors.Is(err, etcd.ErrFormat) || errors.Is(err, etcd.ErrNoStore) || errors.Is(err, etcd.ErrUnfinished) {
		return cli.Input(err)
	}
	return err
}

// openFile opens the embedded store in a folder, and the socket by which operators get at it meanwhile.
func openFile(dir string, expiry time.Duration, log *slog.Logger) (server.Store, func() error, error) {
	if err := makeFolder(dir); err != nil {
		return nil, nil, err
	}
	var options []bolt.Option
	if expiry > 0 {
		options = append(options, bolt.WithExpiry(expiry))
	}
	store, err := openStore(filepath.Join(dir, storeName), options...)
	if err != nil {
		return nil, nil, err
	}
	ends := closers{store.Close}
	if end, err := admin.Serve(store, dir, log); err != nil {
		log.Warn("while this head runs there are no backups, exports and contexts", "error", err)
	} else {
		ends = append(ends, end)
	}
	return store, ends.close, nil
}

func openStore(path string, options ...bolt.Option) (*bolt.Store, error) {
	store, err := bolt.Open(path, options...)
	if errors.Is(err, bolt.ErrInUse) {
		err = fmt.Errorf("%w; stop the head first", err)
	}
	if errors.Is(err, bolt.ErrNotStore) || errors.Is(err, bolt.ErrFormat) || errors.Is(err, bolt.ErrDamaged) {
		err = cli.Input(err)
	}
	return store, err
}
