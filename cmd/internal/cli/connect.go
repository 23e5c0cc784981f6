package cli

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Spec is how to reach the heads, as flags, environment and --config say it: plain data.
type Spec struct {
	Heads  string
	Files  tlsconfig.Files
	Names  tlsconfig.Names
	Config orca.Config // of --config; zero where there is none
}

// SpecOf is the spec that a controller's or aggregate manager's properties file alone gives.
func SpecOf(c orca.Config) Spec {
	return Spec{
		Heads: c.CometHost,
		Files: tlsconfig.Files{
			CA:               c.CACert,
			KeyStore:         c.KeyStore,
			KeyStorePassword: tlsconfig.NewPassword(c.KeyStorePassword.Reveal()),
			Cert:             c.ClientCert,
			Key:              c.ClientKey,
		},
		Config: c,
	}
}

// ReadSpec takes the spec from the flags. Flags win over the environment, both win over --config.
func ReadSpec(c *cli.Context) (Spec, error) {
	s := Spec{}
	if path := c.String(flagConfig); path != "" && !orca.Unset(path) {
		config, err := orca.LoadConfig(path)
		if err != nil {
			return Spec{}, Input(err)
		}
		if s = SpecOf(config); config == (orca.Config{}) {
			return Spec{}, Usage("a client's --config is an ORCA properties file with comethost=…; cometd has another, YAML", "%s has no property of COMET in it", path)
		}
		if config.KeyStorePassword.Reveal() != "" {
			warnExposed(c, path)
		}
	}
	var err error
	if s.Names.Accept, err = tlsconfig.ParseNames(c.StringSlice(flagServerName)); err != nil {
		return Spec{}, Input(err)
	}
	s.Names.Any, s.Names.Insecure = c.Bool(flagAnyName), c.Bool(flagInsecure)
	for flag, field := range map[string]*string{
		flagHeads: &s.Heads, flagCA: &s.Files.CA, flagKeyStore: &s.Files.KeyStore, flagAlias: &s.Files.KeyStoreAlias,
		flagCert: &s.Files.Cert, flagKey: &s.Files.Key,
	} {
		if v := Given(c, flag); v != "" {
			*field = v
		}
	}
	if Given(c, flagKeyStore) == "" && Given(c, flagCert) != "" {
		s.Files.KeyStore = "" // the pair was named closer by than the key store of --config
	}
	for flag, into := range map[string]*tlsconfig.Password{flagStorePass: &s.Files.KeyStorePassword, flagKeyPass: &s.Files.KeyPassword} {
		if path := Given(c, flag); path != "" {
			if *into, err = tlsconfig.ReadPassword(path); err != nil {
				return Spec{}, Input(err)
			}
		}
	}
	// A CA in a trust store has no password flag of its own: Java keeps both stores under one.
	s.Files.CAPassword = s.Files.KeyStorePassword
	return s, nil
}

// Given is what a flag or its environment variable says; a literal ${…}, which a template left unfilled, says nothing.
func Given(c *cli.Context, flag string) string {
	if v := c.String(flag); !orca.Unset(v) {
		return v
	}
	return ""
}

// Connection is a client and what it stands on.
type Connection struct {
	*comet.Client
	Trust *tlsconfig.Live // nil where all heads are http://
	Spec  Spec

	cancel context.CancelFunc
}

// Close ends all of it.
func (c *Connection) Close() {
	if c.cancel != nil {
		c.cancel()
	}
	c.Client.Close()
	if c.Trust != nil {
		c.Trust.Close()
	}
}

// Timeout is the time that the command has as a whole.
func Timeout(c *cli.Context) (time.Duration, error) {
	limit := c.Duration(flagTimeout)
	if limit <= 0 {
		return 0, Usage("give a time such as 30s", "--%s %s makes no sense", flagTimeout, limit)
	}
	return limit, nil
}

// Connect makes the client that the flags describe, with a context that ends with --timeout or when the connection is closed.
func Connect(c *cli.Context) (context.Context, *Connection, error) {
	limit, err := Timeout(c)
	if err != nil {
		return nil, nil, err
	}
	s, err := ReadSpec(c)
	if err != nil {
		return nil, nil, err
	}
	log, err := Logger(c)
	if err != nil {
		return nil, nil, err
	}
	conn, err := s.Connect(log)
	if err != nil {
		return nil, nil, err
	}
	if s.Names.Insecure {
		conn.warnOfInsecure(c.Context, log)
	}
	ctx, cancel := context.WithTimeoutCause(c.Context, limit, overTime(limit))
	conn.cancel = cancel
	return ctx, conn, nil
}

// warnOfInsecure says what tlsconfig does not: that heads are asked without TLS, and, whatever the level of the log, that they are not
// verified.
func (c *Connection) warnOfInsecure(ctx context.Context, log *slog.Logger) {
	says := "certificates of heads are not verified"
	switch {
	case c.Trust == nil:
		says = "heads are asked without TLS"
	case log.Enabled(ctx, slog.LevelWarn):
		return
	}
	says += ": whoever sits in the path can read and change everything"
	_ = log.Handler().Handle(ctx, slog.NewRecord(time.Now(), slog.LevelWarn, says, 0)) // as a logger does
}

// Connect makes the client that the spec describes.
func (s Spec) Connect(log *slog.Logger, options ...comet.Option) (*Connection, error) {
	if s.Heads == "" {
		return nil, Usage("give --comethost, COMETHOST or --config", "no heads are named")
	}
	heads, err := comet.ParseHeads(s.Heads)
	if err != nil {
		return nil, Input(err)
	}
	secure := 0
	for _, h := range heads {
		if strings.HasPrefix(h, "https://") {
			secure++
		} else if !s.Names.Insecure {
			return nil, Usage("use https://, or --insecure if you must", "head %s would be asked without TLS", h)
		}
	}
	conn := &Connection{Spec: s}
	if secure > 0 {
		if conn.Trust, err = tlsconfig.Open(s.Files, s.Names, tlsconfig.WithLogger(log)); err != nil {
			return nil, trustError(err, s.Files)
		}
		options = append(options, comet.WithTrust(conn.Trust))
	}
	if secure < len(heads) {
		options = append(options, comet.WithoutTLS())
	}
	if log.Enabled(context.Background(), slog.LevelInfo) { // else the error at the end says it all once more
		options = append(options, comet.WithLogger(log))
	}
	if conn.Client, err = comet.New(s.Heads, nil, options...); err != nil {
		return nil, Input(err)
	}
	return conn, nil
}

// trustError says by which flag to mend what tlsconfig found.
func trustError(err error, f tlsconfig.Files) error {
	switch {
	case errors.Is(err, tlsconfig.ErrNoCA):
		return Usage("give --cacert, COMETCACERT or --config", "nothing says which heads to trust")
	case errors.Is(err, tlsconfig.ErrNoKey) && f.KeyStore == "" && f.Key == "":
		return &inputError{err, "--key (COMETCLIENTKEY) is missing beside --cert: give both"}
	case errors.Is(err, tlsconfig.ErrNoCertificate) && f.KeyStore == "" && f.Key != "" && f.Cert == "":
		return &inputError{err, "--cert (COMETCLIENTCERT) is missing beside --key: give both"}
	}
	return Input(err)
}

// LogsJSON tells whether the log is for programs to read.
func LogsJSON(c *cli.Context) bool { return Given(c, flagLogFormat) == "json" }

// Logger makes the logger that --log-level and --log-format ask for.
func Logger(c *cli.Context) (*slog.Logger, error) { return LoggerAt(c, &slog.LevelVar{}) }

// LoggerAt is Logger with a level that may be changed later on. The flag, where it is given, sets it.
func LoggerAt(c *cli.Context, level *slog.LevelVar) (*slog.Logger, error) {
	if text := Given(c, flagLogLevel); text != "" && level.UnmarshalText([]byte(text)) != nil {
		return nil, Usage("give debug, info, warn or error", "--%s %q is no level", flagLogLevel, text)
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := Given(c, flagLogFormat); {
	case format == "text", format == "":
		return slog.New(slog.NewTextHandler(c.App.ErrWriter, options)), nil
	case LogsJSON(c):
		return slog.New(slog.NewJSONHandler(c.App.ErrWriter, options)), nil
	}
	return nil, Usage("give text or json", "--%s %q is no format", flagLogFormat, c.String(flagLogFormat))
}
