package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
)

func exportCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "export",
		Usage:     "write all entries of a store to a file, for another store",
		ArgsUsage: "FILE",
		Description: "Writes to FILE, mode 0600, the entries of one moment as lines of JSON, with a checksum; heads go on meanwhile. There are no\n" +
			"tokens in it, but digests and their key, so that tokens stay valid where it is imported: it is as secret as the store.",
		Action: export,
		Flags: slices.Concat([]urfave.Flag{
			stringFlag("data", "the `DIR` of the head, whether it runs or not; or give --store"),
			boolFlag("replace", "let the new file take the place of one that is there"),
		}, storeFlags(), cli.LogFlags("warn")),
	}
}

func export(c *urfave.Context) (err error) {
	args, err := cli.Args(c, "FILE")
	if err != nil {
		return err
	}
	store, end, err := openContents(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var wrote contents.File
	err = save(c, args[0], store.Export, func(f *os.File, p *cli.Progress) error {
		read, err := contents.Read(f, p.Add)
		if err != nil {
			return fmt.Errorf("what was written %w", err)
		}
		wrote = *read
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "exported %s of store %s, %s: %s\n", count(wrote.Entries, "entry", "entries"), wrote.Store, size(wrote.Size), args[0])
	return nil
}

// openContents opens a store that is there: the one of --data, through the head that runs on it or not, or the one of --store.
func openContents(c *urfave.Context) (contents.Store, func() error, error) {
	spec, path, err := whichStore(c)
	if err != nil {
		return nil, nil, err
	}
	if path != "" {
		return openForOperator(c.Context, path)
	}
	log, err := cli.Logger(c)
	if err != nil {
		return nil, nil, err
	}
	options, ends, err := spec.options(log)
	if err != nil {
		return nil, nil, err
	}
	store, err := etcd.Open(c.Context, spec.url, append(options, etcd.WithoutMaking())...)
	if err != nil {
		return nil, nil, errors.Join(etcdError(err), ends.close())
	}
	return store, append(ends, store.Close).close, nil
}

// whichStore reads the flags that name a store; path is that of an embedded one.
func whichStore(c *urfave.Context) (spec storeSpec, path string, err error) {
	if spec, err = readStoreSpec(c); err != nil {
		return spec, "", err
	}
	dir := cli.Given(c, "data")
	switch {
	case dir == "" && spec.url == "":
		return spec, "", cli.Usage("see "+c.Command.HelpName+" --help", "%s needs --data DIR or --store URL", c.Command.Name)
	case dir != "" && spec.url != "":
		return spec, "", cli.Usage("see "+c.Command.HelpName+" --help", "--data and --store name two stores")
	case dir != "":
		path = filepath.Join(dir, storeName)
	}
	return spec, path, nil
}

func importCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "import",
		Usage:     "take the entries of an export, or of deployed heads, into a store",
		ArgsUsage: "[FILE]",
		Description: "Takes FILE, written by cometd export, into a store that has no entries, which is made where there is none and seen only when\n" +
			"all is there; or into one that has the key of the export. There what is newer stays. No head may run on the store in DIR, where\n" +
			"what was removed after the export stays so too; on etcd it comes back.\n\n" +
			"With --tokens, and no FILE, entries are read from the heads at --comethost. The file of tokens has JSON objects, one after the\n" +
			"other: {\"context\":…, \"readToken\":…, \"writeToken\":…} for all that the read token shows, and with \"key\" or \"family\" for a\n" +
			"part of it; token files of comet-controller are taken too. Nothing is written before all of it was read, and what is in the\n" +
			"store already stays.",
		Action: importInto,
		Flags: slices.Concat([]urfave.Flag{
			stringFlag("data", "the `DIR` of the head, which is made with mode 0700; or give --store"),
			stringFlag("tokens", "read from the heads at --comethost what the tokens in `FILE` show"),
			boolFlag("skip-missing", "with --tokens: go on where a token shows nothing, or no write token is given for an entry"),
		}, storeFlags(), cli.HeadFlags()),
	}
}

func importInto(c *urfave.Context) error {
	args, err := cli.Args(c, "[FILE]")
	if err != nil {
		return err
	}
	spec, path, err := whichStore(c)
	if err != nil {
		return err
	}
	switch tokens := cli.Given(c, "tokens"); {
	case (tokens == "") == (args[0] == ""):
		return cli.Usage("see cometd import --help", "import needs FILE, or --tokens and the heads to read from")
	case tokens != "":
		return importHeads(c, tokens, spec, path)
	}
	return importFile(c, args[0], spec, path)
}

func importFile(c *urfave.Context, file string, spec storeSpec, path string) error {
	info, err := os.Stat(file)
	if err != nil {
		return cli.Input(fmt.Errorf("export: %w", err))
	}
	p := cli.NewProgressOfBytes(c, "importing", 2*info.Size()) // it is read once to be checked
	defer p.End()
	f, err := contents.Open(file, p.Add)
	if err != nil {
		return cli.Input(err)
	}
	defer f.Close()
	did, err := importTo(c, f, spec, path)
	p.End()
	switch {
	case errors.Is(err, bolt.ErrInUse):
		return fmt.Errorf("%w; stop the head first", err)
	case errors.Is(err, contents.ErrOtherKey), errors.Is(err, contents.ErrDamaged), errors.Is(err, etcd.ErrHasKey):
		return cli.Input(err)
	case err != nil:
		return err
	}
	made := ""
	if did.Made {
		made = " into an empty store, which has the key of the export now"
	}
	fmt.Fprintf(c.App.Writer, "imported %s%s: %d added, %d replaced older ones, %d were there already\n", count(did.Entries, "entry", "entries"), made, did.Added, did.Replaced, did.Kept)
	return nil
}

func importTo(c *urfave.Context, f *contents.File, spec storeSpec, path string) (contents.Imported, error) {
	if path != "" {
		if err := makeFolder(filepath.Dir(path)); err != nil {
			return contents.Imported{}, err
		}
		return bolt.Import(c.Context, path, f)
	}
	log, err := cli.Logger(c)
	if err != nil {
		return contents.Imported{}, err
	}
	options, ends, err := spec.options(log)
	if err != nil {
		return contents.Imported{}, err
	}
	did, err := etcd.Import(c.Context, spec.url, f, options...)
	return did, errors.Join(etcdError(err), ends.close())
}

// count is a number of things in words.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
