package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/server/admin"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/comet/server/contents"
)

func backupCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "backup",
		Usage:     "back up the store of a head, which may be running",
		ArgsUsage: "FILE",
		Description: "Writes to FILE, mode 0600, a copy of the store in DIR as it is at one moment, with a checksum. A head that runs on it goes\n" +
			"on. The copy holds all values and what tokens can be guessed with: it is as secret as the store. Certificates are not in it.\n" +
			"A store on etcd is backed up by etcd's own means, or with cometd export.",
		Action: backup,
		Flags: []urfave.Flag{
			stringFlag("data", "the `DIR` of the head; required"),
			boolFlag("replace", "let the new file take the place of one that is there"),
		},
	}
}

func backup(c *urfave.Context) (err error) {
	args, err := cli.Args(c, "FILE")
	if err != nil {
		return err
	}
	path, err := storeFile(c)
	if err != nil {
		return err
	}
	store, end, err := openForOperator(c.Context, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	var b bolt.Backup
	err = save(c, args[0], store.Backup, func(f *os.File, p *cli.Progress) (err error) {
		b, err = bolt.CheckBackup(io.TeeReader(f, p))
		if err != nil {
			err = fmt.Errorf("what was written %w", err)
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "backed up store %s at revision %d, %s: %s\n", b.Store, b.Revision, size(b.Size), args[0])
	return nil
}

// save writes a file and checks what it has written.
func save(c *urfave.Context, path string, write func(context.Context, io.Writer) error, check func(*os.File, *cli.Progress) error) error {
	writing := cli.NewProgressOfBytes(c, "writing", -1)
	defer writing.End()
	err := contents.Save(path, c.Bool("replace"), func(w io.Writer) error {
		return write(c.Context, io.MultiWriter(w, writing))
	}, func(f *os.File) error {
		writing.End()
		checking := cli.NewProgressOfBytes(c, "checking", writing.Done())
		defer checking.End()
		return check(f, checking)
	})
	switch {
	case errors.Is(err, contents.ErrExists):
		return cli.Usage("give --replace if it may be replaced", "%w", err)
	case errors.Is(err, fs.ErrNotExist):
		return cli.Input(err)
	}
	return err
}

// storeFile is where --data has its store.
func storeFile(c *urfave.Context) (string, error) {
	dir := cli.Given(c, "data")
	if dir == "" {
		return "", cli.Usage("see "+c.Command.HelpName+" --help", "%s needs --data DIR", c.Command.Name)
	}
	return filepath.Join(dir, storeName), nil
}

// openForOperator opens a store that is there: through the head that runs on it, or else the file.
func openForOperator(ctx context.Context, path string) (store admin.Store, end func() error, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, cli.Input(fmt.Errorf("no store: %w", err))
	}
	head, err := admin.Dial(ctx, filepath.Dir(path))
	if err == nil {
		return head, head.Close, nil
	}
	if !errors.Is(err, admin.ErrNoHead) {
		return nil, nil, err
	}
	file, err := openStore(path, bolt.KeepingAges())
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}

func restoreCommand() *urfave.Command {
	return &urfave.Command{
		Name:      "restore",
		Usage:     "make the store of a head from a backup",
		ArgsUsage: "FILE",
		Description: "Makes the store in DIR what it was when the backup in FILE was taken; tokens are valid as they were then. No head may be\n" +
			"running on it. Nothing is changed before the backup was read to its end and found whole, and then all at once. The store gets\n" +
			"a new identity, by which clients see that what they knew of it is not so any more.",
		Action: restore,
		Flags: []urfave.Flag{
			stringFlag("data", "the `DIR` of the head, which is made with mode 0700; required"),
			boolFlag("replace", "let the backup take the place of the store that is there, which is lost"),
		},
	}
}

func restore(c *urfave.Context) error {
	args, err := cli.Args(c, "FILE")
	if err != nil {
		return err
	}
	path, err := storeFile(c)
	if err != nil {
		return err
	}
	f, err := os.Open(args[0])
	if err != nil {
		return cli.Input(fmt.Errorf("backup: %w", err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return cli.Usage("give the file that cometd backup wrote", "%s is no backup", args[0])
	}
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	p := cli.NewProgressOfBytes(c, "restoring", info.Size())
	defer p.End()
	b, identity, err := bolt.Restore(c.Context, path, io.TeeReader(f, p), c.Bool("replace"))
	p.End()
	if err != nil {
		return restoreError(err, args[0])
	}
	fmt.Fprintf(c.App.Writer, "restored store %s at revision %d, as it was at %s; it is now store %s\n", b.Store, b.Revision, b.Taken.Format("2006-01-02 15:04:05Z07:00"), identity)
	return nil
}

func restoreError(err error, backup string) error {
	switch {
	case errors.Is(err, bolt.ErrInUse):
		return fmt.Errorf("%w; stop the head first", err)
	case errors.Is(err, bolt.ErrExists):
		return cli.Usage("give --replace if it may be lost", "%w", err)
	case errors.Is(err, bolt.ErrNotBackup), errors.Is(err, bolt.ErrBackupFormat), errors.Is(err, bolt.ErrBackupDamaged):
		return cli.Input(fmt.Errorf("%w (%s)", err, backup))
	}
	return err
}
