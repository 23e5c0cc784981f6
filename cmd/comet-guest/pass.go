package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/orca"
)

func flags(more ...urfave.Flag) []urfave.Flag {
	return append([]urfave.Flag{
		&urfave.StringFlag{Name: "user-data", Usage: "`FILE` with the VM's user data (required)"},
		&urfave.StringFlag{Name: "address", Usage: "the VM's own `ADDRESS`, to be published"},
		&urfave.StringFlag{Name: "root", Usage: "folder `DIR` below which all files lie", Value: "/"},
	}, append(more, cli.LogFlags("info")...)...)
}

func onceCommand() *urfave.Command {
	return &urfave.Command{
		Name:        "once",
		Usage:       "make one pass: publish, learn, and write what differs",
		Description: "Prints what it knows of the other VMs, and the files that it wrote; with --log-format json that goes into the log.",
		Flags:       flags(),
		Action:      once,
	}
}

func runCommand() *urfave.Command {
	return &urfave.Command{
		Name:   "run",
		Usage:  "make passes until it is ended",
		Flags:  flags(&urfave.DurationFlag{Name: "every", Usage: "`TIME` between two passes", Value: 10 * time.Second}),
		Action: run,
	}
}

func once(c *urfave.Context) error {
	g, end, err := open(c)
	if err != nil {
		return err
	}
	defer end()
	st, err := g.Once(c.Context)
	hosts, _ := g.Hosts() // what keeps them from being known is in err
	for _, h := range hosts {
		fmt.Fprintf(c.App.Writer, "knows %s at %s\n", h.HostName, h.IP)
	}
	for _, done := range st.Done() {
		fmt.Fprintln(c.App.Writer, done.Text)
	}
	return err
}

func run(c *urfave.Context) error {
	if c.Duration("every") <= 0 {
		return cli.Usage("give a time such as 10s", "--every %s makes no sense", c.Duration("every"))
	}
	g, end, err := open(c)
	if err != nil {
		return err
	}
	defer end()
	g.Logger.Info("started", "root", g.Root, "every", g.Every)
	return g.Run(c.Context, nil)
}

// folder is an error where the root is no folder.
func folder(root string) error {
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", root)
	}
	if err != nil {
		return cli.Usage("name a folder that is there", "--root: %w", err)
	}
	return nil
}

// open makes the guest of the VM that the user data describes, and the function that ends it.
func open(c *urfave.Context) (*guest.Guest, func(), error) {
	if _, err := cli.Args(c); err != nil {
		return nil, nil, err
	}
	if err := cli.Required(c, "user-data"); err != nil {
		return nil, nil, err
	}
	log, err := cli.Logger(c)
	if err != nil {
		return nil, nil, err
	}
	self, err := orca.LoadUserData(c.String("user-data"))
	if err != nil {
		return nil, nil, cli.Input(err)
	}
	s := guest.Settings{Root: c.String("root"), Every: c.Duration("every"), Logger: log}
	if text := c.String("address"); text != "" {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, nil, cli.Usage("give one such as 10.0.0.1", "--address %q is no IP address", text)
		}
		s.Address = func() (netip.Addr, error) { return address, nil }
	}
	if err := folder(s.Root); err != nil {
		return nil, nil, err
	}
	client, err := guest.Connect(self, s.Root, comet.WithLogger(log))
	if err != nil {
		return nil, nil, cli.Input(fmt.Errorf("%s: %w", c.String("user-data"), err))
	}
	g, err := guest.New(s, guest.Member{Client: client, Self: self})
	if err != nil {
		return nil, nil, errors.Join(cli.Input(fmt.Errorf("%s: %w", c.String("user-data"), err)), client.Close())
	}
	return g, func() { g.Close(); client.Close() }, nil
}
