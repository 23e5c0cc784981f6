// Command bench measures what the README says, in about six minutes where the machine has nothing else to do: it runs the benchmarks of
// the packages in turn, several times, and prints their figures as tables, with what they were measured on. With -out it also writes them
// to a folder, as text, as JSON and as plots.
//
// It measures nothing itself. The benchmarks lie beside what they measure, where they reach what nobody may import and run as processes
// of their own; each can be run by itself with go test.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errUsage is what arguments are that make no sense.
var errUsage = errors.New("wrong usage (-help shows the flags)")

// options are what the flags say.
type options struct {
	out    string
	short  bool
	only   string
	head   deployed
	client string
}

// deployed are heads that are there already, and by what one trusts them and is trusted.
type deployed struct{ urls, cacert, cert, key, serverName string }

func parse(args []string, stderr io.Writer) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.out, "out", "", "write tables, plots and JSON into the folder `DIR`, which is made where it is missing")
	f.BoolVar(&o.short, "short", false, "about half a minute: fewer VMs and one round, to see whether all runs; the figures mean little")
	f.StringVar(&o.only, "only", "", "measure only these `TABLES`, separated by commas: "+strings.Join(tableNames(), ", "))
	f.StringVar(&o.head.urls, "head", "", "measure these deployed heads too: `URL[,URL]`, each by itself; entries are written, and deleted at the end")
	f.StringVar(&o.head.cacert, "cacert", "", "`FILE` with the CA of those heads, DER or PEM")
	f.StringVar(&o.head.cert, "cert", "", "`FILE` with a client's certificate that those heads trust, PEM")
	f.StringVar(&o.head.key, "key", "", "`FILE` with its key")
	f.StringVar(&o.head.serverName, "server-name", "", "`NAME` that the heads' certificates may bear beside the URLs'")
	f.StringVar(&o.client, "client", "", "time this shell `COMMAND` of an existing client, which reads one entry, against cometctl; see the README here")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage // the flag set has said what is wrong
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%w: there are no arguments, and %q is one", errUsage, f.Arg(0))
	}
	if o.head.urls == "" && (o.head.cacert != "" || o.head.cert != "" || o.head.key != "" || o.head.serverName != "") {
		return o, fmt.Errorf("%w: -cacert, -cert, -key and -server-name are about the heads that -head names", errUsage)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	plan, tables, err := choose(o)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o.short, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	r, err := b.measure(ctx, plan)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, r.text(tables))
	if o.out != "" {
		if err := r.write(o.out, tables); err != nil {
			return err
		}
		fmt.Fprintln(stderr, "bench: tables, plots and JSON are in", o.out)
	}
	return r.failed()
}
