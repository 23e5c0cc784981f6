package main

import (
	"errors"
	"fmt"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/takeover"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/etcd"
)

// importHeads reads from heads what the tokens in a file show, and then writes it to the store.
func importHeads(c *urfave.Context, tokens string, spec storeSpec, path string) error {
	owners, err := takeover.LoadTokens(tokens)
	if err != nil {
		return cli.Input(err)
	}
	ctx, heads, err := cli.Connect(c)
	if err != nil {
		return err
	}
	defer heads.Close()
	found, err := takeover.Read(ctx, heads.Client, owners, c.Bool("skip-missing"))
	if err != nil {
		if errors.Is(err, takeover.ErrUnowned) {
			err = cli.Input(err)
		}
		return err
	}
	store, limits, end, err := openToImport(c, spec, path)
	if err != nil {
		return err
	}
	added, err := takeover.Write(ctx, store, limits, found.Entries)
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	if found.Empty+found.Unowned > 0 {
		fmt.Fprintf(c.App.ErrWriter, "cometd: warning: tokens that showed nothing: %d; entries without a write token: %d\n", found.Empty, found.Unowned)
	}
	fmt.Fprintf(c.App.Writer, "imported %s: %d added, %d were there already and stayed\n", count(len(found.Entries), "entry", "entries"), added, len(found.Entries)-added)
	return nil
}

func openToImport(c *urfave.Context, spec storeSpec, path string) (server.Store, takeover.Limits, func() error, error) {
	if path == "" {
		log, err := cli.Logger(c)
		if err != nil {
			return nil, takeover.Limits{}, nil, err
		}
		store, end, err := spec.open(c, "", log)
		return store, takeover.Limits{Changes: etcd.MaxChanges, Bytes: server.MaxValue}, end, err
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, takeover.Limits{}, nil, err
	}
	store, err := openStore(path, bolt.KeepingAges())
	if err != nil {
		return nil, takeover.Limits{}, nil, err
	}
	return store, takeover.Limits{}, store.Close, nil
}
