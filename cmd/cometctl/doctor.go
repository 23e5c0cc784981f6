package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/doctor"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

func doctorCommand() *urfave.Command {
	return &urfave.Command{
		Name:  "doctor",
		Usage: "examine heads, certificates, tokens and clocks, and say what to do",
		Description: "Looks at each file and token that is named, and at each head: DNS, connection, TLS, version, latency, store and clock.\n" +
			"Heads are asked for their version, and for the entries of a made-up context under a made-up token; yours are not sent. What is\n" +
			"wrong in one place does not keep the rest from being examined.\n\n" +
			"The exit code is 0 where all is well, warnings or not; 2 where files, flags or tokens are wrong; 4 where trust fails at every\n" +
			"head; 5 where no head can be used; 1 for any other problem.",
		Flags:  withHeads(cli.ReadTokenFlag(), cli.WriteTokenFlag(), cli.OutputFlag()),
		Action: runDoctor,
	}
}

func runDoctor(c *urfave.Context) error {
	if err := cli.CheckOutput(c); err != nil {
		return err
	}
	if _, err := cli.Args(c); err != nil {
		return err
	}
	limit, err := cli.Timeout(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, limit)
	defer cancel()
	report := doctor.Examine(ctx, examined(c))
	if err := c.Context.Err(); err != nil {
		return err // interrupted: what was found says nothing
	}
	if err := printReport(c, report); err != nil {
		return err
	}
	err = report.Err()
	if errors.Is(err, doctor.ErrConfiguration) {
		return cli.Input(err)
	}
	return err
}

// examined takes what to examine from the flags; where something of it cannot be read, the rest.
func examined(c *urfave.Context) doctor.Subject {
	spec, err := cli.ReadSpec(c)
	s := doctor.Subject{Heads: spec.Heads, Files: spec.Files, Names: spec.Names}
	if err != nil {
		s.Unread = errors.New(cli.OneLine(err))
		s.Heads, s.Files.CA = cli.Given(c, "comethost"), cli.Given(c, "cacert")
		s.Names.Any, s.Names.Insecure = c.Bool("any-server-name"), c.Bool("insecure")
		s.Names.Accept, _ = tlsconfig.ParseNames(c.StringSlice("server-name")) // if this is what is wrong, Unread says so
	}
	for _, flag := range []string{"keystore-password-file", "key-password-file", "read-token-file", "write-token-file"} {
		s.Secrets = append(s.Secrets, cli.Given(c, flag))
	}
	if spec.Config.KeyStorePassword.Reveal() != "" {
		s.Secrets = append(s.Secrets, cli.Given(c, "config"))
	}
	for _, kind := range []string{"read", "write"} {
		if t, given := givenToken(c, kind); given {
			s.Tokens = append(s.Tokens, t)
		}
	}
	return s
}

// givenToken returns the token that flags or environment give, which they need not.
func givenToken(c *urfave.Context, kind string) (doctor.Token, bool) {
	variable := "COMET_" + strings.ToUpper(kind) + "_TOKEN"
	t := doctor.Token{Kind: kind, From: variable}
	text := os.Getenv(variable)
	if path := cli.Given(c, kind+"-token-file"); path != "" {
		content, err := os.ReadFile(path)
		t.From, t.Err, text = path, err, strings.TrimSpace(string(content))
	} else if text == "" || orca.Unset(text) {
		return t, false
	}
	if t.Err == nil {
		t.Token, t.Err = scope.ParseToken(text)
	}
	return t, true
}

func printReport(c *urfave.Context, r doctor.Report) error {
	if o := c.String("output"); o != "table" && o != "" {
		return cli.Print(c, r, nil)
	}
	return writeReport(c.App.Writer, r)
}

// words are the states as people see them.
var words = map[doctor.State]string{doctor.OK: "ok", doctor.Warning: "warn", doctor.Problem: "FAIL"}

// writeReport prints a report with a heading for the configuration and for each head.
func writeReport(w io.Writer, r doctor.Report) error {
	var b strings.Builder
	width := 0
	for _, check := range r.Checks {
		width = max(width, len(check.Step))
	}
	under := ""
	for _, check := range r.Checks {
		heading, says := check.About, check.Says
		if check.About != doctor.AllHeads && !slices.Contains(r.Heads, check.About) {
			heading = "configuration"
			if check.About != check.Step && !strings.Contains(says, check.About) {
				says = check.About + ": " + says
			}
		}
		if heading != under {
			fmt.Fprintln(&b, heading)
			under = heading
		}
		fmt.Fprintf(&b, "  %-4s  %-*s  %s\n", words[check.State], width, check.Step, says)
		if check.DoThis != "" {
			fmt.Fprintf(&b, "        %-*s  -> %s\n", width, "", check.DoThis)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
