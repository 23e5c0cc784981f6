package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// certificates are what a head serves with, and what of it a client needs.
type certificates struct {
	live   *tlsconfig.Live
	client tlsconfig.Files // CA, and the identity where we made one
}

// openCertificates takes the files that the flags name, or those in data/certs, which are made where they are not there.
func openCertificates(c *urfave.Context, data string, addresses []string, log *slog.Logger) (certificates, error) {
	files, own, err := ownFiles(c)
	if err != nil {
		return certificates{}, err
	}
	client := tlsconfig.Files{CA: files.CA}
	if !own {
		if err := makeFolder(data); err != nil {
			return certificates{}, err
		}
		made, err := tlsconfig.WriteDevelopment(filepath.Join(data, "certs"), hostNames(addresses)...)
		if err != nil {
			return certificates{}, cli.Input(err)
		}
		if made.Created {
			log.Info("made certificates", "dir", made.Dir, "keystore", made.ClientJKS, "keystore-password-file", made.PasswordFile)
		}
		files, client = made.Server, made.Client
	}
	live, err := tlsconfig.Open(files, tlsconfig.Names{}, tlsconfig.WithLogger(log))
	if err != nil {
		return certificates{}, cli.Input(err)
	}
	return certificates{live, client}, nil
}

// ownFiles reads the flags that name certificate files; own is false where there are none.
func ownFiles(c *urfave.Context) (files tlsconfig.Files, own bool, err error) {
	files = tlsconfig.Files{CA: cli.Given(c, "cacert"), Cert: cli.Given(c, "cert"), Key: cli.Given(c, "key")}
	given := files.CA + files.Cert + files.Key
	if given == "" {
		return tlsconfig.Files{}, false, nil
	}
	if files.CA == "" || files.Cert == "" || files.Key == "" {
		return files, true, cli.Usage("see cometd serve --help", "--cacert, --cert and --key go together")
	}
	if name := cli.Given(c, "key-password-file"); name != "" {
		if files.KeyPassword, err = tlsconfig.ReadPassword(name); err != nil {
			return files, true, cli.Input(err)
		}
	}
	return files, true, nil
}

// hostNames are the names under which clients may reach a head at these addresses: their own, and the machine's where it listens
// on all.
func hostNames(addresses []string) (names []string) {
	for _, a := range addresses {
		host, _, _ := net.SplitHostPort(a) // checked before
		if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
			names = append(names, host)
			continue
		}
		if name, err := os.Hostname(); err == nil && scope.ValidHostName(name) == nil {
			names = append(names, name)
		}
	}
	return names
}

func certsCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "certs",
		Usage: "make certificates to try a head with",
		Description: "Makes a CA, an identity for a head and one for a client, in every form that COMET programs read: ca.der, ca.pem,\n" +
			"server.pem and .key, client.pem and .key, client.jks and client.p12 with their password in keystore.password. A folder that\n" +
			"has them is left as it is.",
		Action: certs,
		Flags: []urfave.Flag{
			stringFlag("out", "make them in `DIR`, which is made with mode 0700; required"),
			&urfave.StringSliceFlag{Name: "host", Usage: "`NAME` or address of the head, beside localhost and the loopback addresses; may be repeated", EnvVars: cli.Env("host")},
		},
	}
}

func certs(c *urfave.Context) error {
	if _, err := cli.Args(c); err != nil {
		return err
	}
	dir := cli.Given(c, "out")
	if dir == "" {
		return cli.Usage("see cometd certs --help", "certs needs --out DIR")
	}
	for _, h := range c.StringSlice("host") {
		if net.ParseIP(h) == nil && scope.ValidHostName(h) != nil {
			return cli.Usage("give one such as comet.example.net", "--host %q is neither a host name nor an address", h)
		}
	}
	made, err := tlsconfig.WriteDevelopment(dir, c.StringSlice("host")...)
	if err != nil {
		return cli.Input(err)
	}
	if !made.Created {
		fmt.Fprintf(c.App.Writer, "%s has certificates already; nothing was changed, whatever --host says\n", dir)
		return nil
	}
	fmt.Fprintf(c.App.Writer, "made certificates in %s\n", dir)
	for _, f := range [][2]string{
		{"CA", made.CA},
		{"head", made.Server.Cert + " " + made.Server.Key},
		{"client", made.Client.Cert + " " + made.Client.Key},
		{"client's key stores", made.ClientJKS + " " + made.ClientPKCS12},
		{"their password", made.PasswordFile},
	} {
		fmt.Fprintf(c.App.Writer, "  %-20s %s\n", f[0], f[1])
	}
	return nil
}
