package cli

import (
	"time"

	"github.com/urfave/cli/v2"
)

// The names of the common flags.
const (
	flagHeads        = "comethost"
	flagCA           = "cacert"
	flagKeyStore     = "keystore"
	flagAlias        = "keystore-alias"
	flagStorePass    = "keystore-password-file"
	flagCert         = "cert"
	flagKey          = "key"
	flagKeyPass      = "key-password-file"
	flagConfig       = "config"
	flagServerName   = "server-name"
	flagAnyName      = "any-server-name"
	flagInsecure     = "insecure"
	flagReadToken    = "read-token-file"
	flagWriteToken   = "write-token-file"
	flagTimeout      = "timeout"
	flagLogLevel     = "log-level"
	flagLogFormat    = "log-format"
	flagOutput       = "output"
	categoryHeads    = "Heads and trust"
	categoryTokens   = "Tokens"
	categoryPrinting = "Printing"
	defaultTimeout   = time.Minute
)

// HeadFlags are the flags that say where the heads are and who trusts whom.
func HeadFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: flagHeads, EnvVars: []string{"COMETHOST"}, Category: categoryHeads, Usage: "`URLS` of the heads, separated by commas"},
		&cli.StringFlag{Name: flagCA, EnvVars: []string{"COMETCACERT"}, Category: categoryHeads, Usage: "`FILE` with the CA of the heads: DER, PEM, JKS or PKCS#12"},
		&cli.StringFlag{Name: flagKeyStore, EnvVars: Env(flagKeyStore), Category: categoryHeads, Usage: "`FILE` with our certificate and key: JKS or PKCS#12; used before --cert"},
		&cli.StringFlag{Name: flagAlias, EnvVars: Env(flagAlias), Category: categoryHeads, Usage: "`NAME` of the key in it, where there are several"},
		&cli.StringFlag{Name: flagStorePass, EnvVars: Env(flagStorePass), Category: categoryHeads, Usage: "`FILE` with its password"},
		&cli.StringFlag{Name: flagCert, EnvVars: []string{"COMETCLIENTCERT"}, Category: categoryHeads, Usage: "`FILE` with our certificate, PEM"},
		&cli.StringFlag{Name: flagKey, EnvVars: []string{"COMETCLIENTKEY"}, Category: categoryHeads, Usage: "`FILE` with our key, PEM"},
		&cli.StringFlag{Name: flagKeyPass, EnvVars: Env(flagKeyPass), Category: categoryHeads, Usage: "`FILE` with the key's own password, where it has one"},
		&cli.StringFlag{Name: flagConfig, EnvVars: Env(flagConfig), Category: categoryHeads, Usage: "`FILE` with all of this: properties of an ORCA controller or aggregate manager"},
		&cli.StringSliceFlag{Name: flagServerName, EnvVars: Env(flagServerName), Category: categoryHeads, Usage: "`NAME` in the heads' certificates where it is not the one in the URL; or HOST:PORT=NAME (repeatable)"},
		&cli.BoolFlag{Name: flagAnyName, EnvVars: Env(flagAnyName), Category: categoryHeads, Usage: "accept any name under the CA, which must not be a public one"},
		&cli.BoolFlag{Name: flagInsecure, EnvVars: Env(flagInsecure), Category: categoryHeads, Usage: "do not verify heads at all, and allow http://: whoever is in between sees and changes everything"},
		&cli.DurationFlag{Name: flagTimeout, EnvVars: Env(flagTimeout), Category: categoryHeads, Value: defaultTimeout, Usage: "`TIME` for the command as a whole"},
	}
	return append(flags, LogFlags("warn")...)
}

// LogFlags say what is logged to standard error, and how.
func LogFlags(level string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: flagLogLevel, EnvVars: Env(flagLogLevel), Category: categoryPrinting, Value: level, Usage: "`LEVEL` of what is logged: debug, info, warn or error"},
		&cli.StringFlag{Name: flagLogFormat, EnvVars: Env(flagLogFormat), Category: categoryPrinting, Value: "text", Usage: "`FORM` of the log: text or json"},
	}
}

// ReadTokenFlag names the file of the read token; the environment may hold the token itself.
func ReadTokenFlag() cli.Flag {
	return &cli.StringFlag{Name: flagReadToken, EnvVars: Env(flagReadToken), Category: categoryTokens, Usage: "`FILE` with the read token, or the one that keeps a slice's tokens; else COMET_READ_TOKEN"}
}

// WriteTokenFlag names the file of the write token; the environment may hold the token itself.
func WriteTokenFlag() cli.Flag {
	return &cli.StringFlag{Name: flagWriteToken, EnvVars: Env(flagWriteToken), Category: categoryTokens, Usage: "`FILE` with the write token, or the one that keeps a slice's tokens, for the VM with the key; else COMET_WRITE_TOKEN"}
}

// OutputFlag chooses between a table, JSON and YAML.
func OutputFlag() cli.Flag {
	return &cli.StringFlag{Name: flagOutput, Aliases: []string{"o"}, EnvVars: Env(flagOutput), Category: categoryPrinting, Value: "table", Usage: "print a `FORM`: table, json or yaml"}
}

// Env is the environment variable of a flag: COMET_ and its name.
func Env(flag string) []string {
	name := []byte("COMET_" + flag)
	for i, b := range name {
		switch {
		case b == '-':
			name[i] = '_'
		case b >= 'a' && b <= 'z':
			name[i] = b - 'a' + 'A'
		}
	}
	return []string{string(name)}
}
