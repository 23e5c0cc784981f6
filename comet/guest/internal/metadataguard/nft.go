package metadataguard

import (
	"context"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// nft keeps a table of our own.
type nft struct{ machine *frame.Machine }

const table = "comet_guest"

// ruleset replaces the table in one transaction, whether it is there or not.
const ruleset = `table inet ` + table + `
delete table inet ` + table + `
table inet ` + table + ` {
	chain output {
		type filter hook output priority 0; policy accept;
		ip daddr ` + address4 + ` tcp dport 80 meta skuid != 0 reject with tcp reset
		ip6 daddr ` + address6 + ` tcp dport 80 meta skuid != 0 reject with tcp reset
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		ip daddr ` + address4 + ` tcp dport 80 drop
		ip6 daddr ` + address6 + ` tcp dport 80 drop
	}
}
`

func (n nft) plan(ctx context.Context, s state) ([]frame.Step, error) {
	now, err := n.list(ctx)
	if err != nil || now != "" && s.Filter == "nft" && s.Listing == ruleset+now {
		return nil, err
	}
	return []frame.Step{{Text: "set the table " + table + " of nftables: only root may ask " + address4,
		Do: func(ctx context.Context) error { return n.set(ctx, s) }}}, nil
}

// set sets the table and keeps how nft shows it: each version has its own way, so it is compared with itself.
func (n nft) set(ctx context.Context, s state) error {
	s.Listing = ""
	if err := n.machine.Save(stateFile, s); err != nil {
		return err
	}
	if _, err := n.machine.Run(ctx, frame.Command{Program: "nft", Args: []string{"-f", "-"}, Stdin: []byte(ruleset)}); err != nil {
		return err
	}
	now, err := n.list(ctx)
	if err != nil {
		return err
	}
	s.Listing = ruleset + now
	return n.machine.Save(stateFile, s)
}

// list returns our table as nft shows it, nothing where there is none.
func (n nft) list(ctx context.Context) (string, error) {
	out, err := n.machine.Run(ctx, frame.Command{Program: "nft", Args: []string{"-s", "list", "table", "inet", table}})
	if frame.ExitCode(err) == 1 { // also where nft may do nothing at all, which set will tell
		return "", nil
	}
	return string(out), err
}

func (n nft) withdraw(ctx context.Context) ([]frame.Step, error) {
	now, err := n.list(ctx)
	if err != nil || now == "" {
		return nil, err
	}
	return []frame.Step{n.machine.Exec(frame.Command{Program: "nft", Args: []string{"delete", "table", "inet", table}})}, nil
}
