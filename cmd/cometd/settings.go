package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server"
)

// serveFlags are the settings of a head. Each is also an environment variable, and a key of the file of --config.
func serveFlags() []urfave.Flag {
	return slices.Concat([]urfave.Flag{
		stringFlag(flagConfig, "take what flags and environment do not say from `FILE`: YAML or JSON, with the names of flags as keys"),
		stringFlag("data", "keep entries and certificates in `DIR`, which is made with mode 0700; required without --store and --cert"),
		&urfave.StringSliceFlag{Name: "listen", Usage: "serve at `ADDR`, a host or address and a port; may be repeated", EnvVars: cli.Env("listen"), Value: urfave.NewStringSlice("127.0.0.1:8111")},
		hostFlag(),
		boolFlag("strong-tokens", "refuse writes with weak tokens: fewer than 8 characters, no digit, no lower or upper case, or white space"),
		boolFlag("no-client-certs", "let everybody create and delete who has the tokens, without a client certificate"),
		stringFlag("creators-file", "let only clients create and delete whose certificates have a subject listed in `FILE`, one a line, such as CN=controller,O=Site; it is read at the start alone"),
		boolFlag("owners", "let an entry be deleted only under the certificate subject that created it"),
		stringFlag("cacert", "trust clients whose certificates lead to one in `FILE` (DER, PEM)"),
		stringFlag("cert", "the head's own certificate, with its chain, in `FILE`"),
		stringFlag("key", "the private key of --cert, in `FILE`"),
		stringFlag("key-password-file", "the password of --key, in `FILE`"),
	}, limitFlags(), storeFlags(), []urfave.Flag{expiryFlag()}, opsFlags(), cli.LogFlags("info"))
}

func limitFlags() []urfave.Flag {
	return []urfave.Flag{
		numberFlag("max-requests", 5000, "answer `N` requests a second of one client at most, on average; 0: any number. A client is a trusted certificate's subject, else a read token, else an address"),
		numberFlag("max-watches", 20000, "let `N` watches of one client wait at most; 0: any number"),
		numberFlag("max-waiting", 50000, "let `N` watches of all clients wait at most, of which those that show nothing go first; 0: any number"),
		numberFlag("max-entries", 100000, "let one read token show `N` entries in a context at most; 0: any number"),
		numberFlag("max-value", server.MaxValue, "take values of `BYTES` at most"),
	}
}

// settings are what serve runs with, read and checked: plain data.
type settings struct {
	dir       string
	addresses []string
	hosts     []string // names in certificates that are made
	metrics   string   // empty: nowhere
	store     storeSpec
	creators  []string // nil: whoever is trusted
	limits    server.Limits
	fromFile  []string // names of flags
}

// readSettings reads flags, environment and file. It makes nothing.
func readSettings(c *urfave.Context) (s settings, err error) {
	if _, err := cli.Args(c); err != nil {
		return s, err
	}
	if s.fromFile, err = takeFile(c); err != nil {
		return s, err
	}
	if s.store, err = readStoreSpec(c); err != nil {
		return s, err
	}
	s.dir = cli.Given(c, "data")
	switch {
	case s.dir != "":
	case s.store.url == "":
		return s, cli.Usage("see cometd serve --help", "a head needs --data DIR")
	case cli.Given(c, "cert") == "":
		return s, cli.Usage("see cometd serve --help", "a head needs --data DIR for its certificates, or --cacert, --cert and --key")
	}
	s.addresses = c.StringSlice("listen")
	for _, a := range s.addresses {
		if err := checkAddress("listen", a); err != nil {
			return s, err
		}
	}
	if s.hosts, err = certificateHosts(c); err != nil {
		return s, err
	}
	if len(s.hosts) > 0 && cli.Given(c, "cert") != "" {
		return s, cli.Usage("leave it away", "--host is for certificates of the head's own making, and --cert names others")
	}
	if s.metrics = cli.Given(c, "metrics-listen"); s.metrics != "" {
		if err := checkAddress("metrics-listen", s.metrics); err != nil {
			return s, err
		}
	}
	if s.limits, err = readLimits(c); err != nil {
		return s, err
	}
	if c.Bool("owners") && c.Bool("no-client-certs") {
		return s, cli.Usage("leave one of them out", "--owners and --no-client-certs contradict each other: anybody may call himself the owner")
	}
	s.creators, err = readCreators(c)
	return s, err
}

func checkAddress(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return cli.Usage("give one such as 127.0.0.1:8111", "--%s %q is not a host or address and a port", flag, address)
	}
	return nil
}

func readLimits(c *urfave.Context) (server.Limits, error) {
	for _, f := range []string{"max-requests", "max-watches", "max-waiting", "max-entries", "max-value"} {
		if c.Int(f) < 0 {
			return server.Limits{}, cli.Usage("give 0 for none", "--%s %d is no limit", f, c.Int(f))
		}
	}
	if c.Int("max-value") > server.MaxValue {
		return server.Limits{}, cli.Usage("give less", "--max-value %d is more than %d, the most that any store takes", c.Int("max-value"), server.MaxValue)
	}
	return server.Limits{
		Requests: c.Int("max-requests"), Watches: c.Int("max-watches"), Waiting: c.Int("max-waiting"), Entries: c.Int("max-entries"), Value: c.Int("max-value"),
	}, nil
}

// readCreators reads the subjects of --creators-file; lines that begin with # are comments.
func readCreators(c *urfave.Context) (subjects []string, err error) {
	path := cli.Given(c, "creators-file")
	if path == "" {
		return nil, nil
	}
	if c.Bool("no-client-certs") {
		return nil, cli.Usage("leave one of them out", "--creators-file and --no-client-certs contradict each other")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.Input(fmt.Errorf("--creators-file: %w", err))
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.Contains(line, "=") && !strings.HasPrefix(line, "sha256:") {
			return nil, cli.Usage("write it as the audit log does, such as CN=controller,O=Site", "%s:%d: %q is no subject of a certificate", path, number, line)
		}
		subjects = append(subjects, line)
	}
	if len(subjects) == 0 {
		return nil, cli.Usage("name at least one, or leave --creators-file out", "%s has no subject in it, so that nobody could create", path)
	}
	return subjects, nil
}

// headOptions are what the settings make of a head.
func (s settings) headOptions(c *urfave.Context, certs certificates, log *slog.Logger) []server.Option {
	opts := []server.Option{server.WithLogger(log), server.WithTrust(certs.live.Trusted), server.WithLimits(s.limits)}
	if c.Bool("strong-tokens") {
		opts = append(opts, server.WithStrongTokens())
	}
	if s.creators != nil {
		opts = append(opts, server.WithCreators(s.creators...))
	}
	if c.Bool("owners") {
		opts = append(opts, server.WithOwners())
	}
	if c.Bool("access-log") {
		opts = append(opts, server.WithAccessLog(log.With("log", "access")))
	}
	if c.Bool("audit-log") {
		opts = append(opts, server.WithAuditLog(log.With("log", "audit")))
	}
	if c.Bool("no-client-certs") {
		log.Warn("client certificates are not checked: whoever has the tokens may create and delete")
		opts = append(opts, server.WithoutCertificateChecks())
	}
	return opts
}
