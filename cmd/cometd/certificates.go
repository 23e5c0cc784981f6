package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// certificates are what a head serves with, and what of it a client needs.
type certificates struct {
	live   *tlsconfig.Live
	client tlsconfig.Files // CA, and the identity where we made one
}

// openCertificates takes the files that the flags name, or those in the folder's certs, which are made where they are not there.
func openCertificates(c *urfave.Context, s settings, log *slog.Logger) (certificates, error) {
	files, own, err := ownFiles(c)
	if err != nil {
		return certificates{}, err
	}
	client := tlsconfig.Files{CA: files.CA}
	if !own {
		if err := makeFolder(s.dir); err != nil {
			return certificates{}, err
		}
		made, err := makeCertificates(s.certificatesDir(), s.hosts, hostNames(s.addresses))
		if err != nil {
			return certificates{}, err
		}
		warnOfNames(log, made, s.hosts, s.addresses)
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

func (s settings) certificatesDir() string { return filepath.Join(s.dir, "certs") }

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

func certsCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "certs",
		Usage: "make certificates to try a head with",
		Description: "Makes a CA, an identity for a head and one for a client, in every form that COMET programs read: ca.der, ca.pem,\n" +
			"server.pem and .key, client.pem and .key, client.jks and client.p12 with their password in keystore.password. A folder that\n" +
			"has them is left as it is; where they are for other hosts than --host says, that is an error.\n" +
			"cometd serve makes its own below --data.",
		Action: certs,
		Flags: []urfave.Flag{
			stringFlag("out", "make them in `DIR`, which is made with mode 0700; required"),
			hostFlag(),
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
	hosts, err := certificateHosts(c)
	if err != nil {
		return err
	}
	made, err := makeCertificates(dir, hosts, nil)
	if err != nil {
		return err
	}
	if !made.Created {
		fmt.Fprintf(c.App.Writer, "%s has certificates already, for %s; nothing was changed\n", dir, strings.Join(made.Hosts, ", "))
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
