package frame

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// unitsSince is the version of systemd from which on systemd-run knows all that Unit asks of it: --wait came with 232, --pipe with 235,
// --collect and output into a file with 236.
const unitsSince = 236

// Booted reports whether systemd runs the machine, as sd_booted(3) has it.
func Booted() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// Units reports whether a program can become a unit of systemd, which neither the end of the guest ends nor what confines the guest
// confines. Where systemd does not run the machine, or is too old for that, programs that go on are sessions of their own.
func (m *Machine) Units(ctx context.Context) bool {
	if !Booted() {
		return false
	}
	if m.systemd.Load() == 0 {
		var version int64
		out, err := m.Run(ctx, Command{Program: "systemd-run", Args: []string{"--version"}})
		if _, scanned := fmt.Sscanf(string(out), "systemd %d", &version); err != nil || scanned != nil {
			return false
		}
		m.systemd.Store(version)
	}
	return m.systemd.Load() >= unitsSince
}

// Unit is the command that runs a program as a unit of systemd, with more options of systemd-run. It goes by itself when it ends. In
// arguments systemd knows $, which is doubled; in options %, which nothing here can have.
func Unit(name string, options, command []string) Command {
	args := append([]string{"--quiet", "--collect", "--no-ask-password", "--unit=" + name}, options...)
	args = append(args, "--")
	for _, word := range command {
		args = append(args, strings.ReplaceAll(word, "$", "$$"))
	}
	return Command{Program: "systemd-run", Args: args}
}
