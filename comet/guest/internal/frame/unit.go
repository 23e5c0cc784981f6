package frame

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// unitsSince is the version of systemd from which on it confines the guest as comet-guest.service says, by SystemCallFilter=@system-service.
// All that Unit asks of systemd-run is older.
const unitsSince = 239

// Booted reports whether systemd runs the machine, as sd_booted(3) has it.
func Booted() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// Units reports whether a program becomes a unit of systemd, which neither the end of the guest ends nor what confines the guest
// confines. Where systemd does not run the machine, programs that go on are sessions of their own. Where it does, and is too old, the
// error says so: what confines the guest would hold them, and nobody else would see what they mount.
func (m *Machine) Units(ctx context.Context) (bool, error) {
	if !Booted() || m.systemd.Load() {
		return m.systemd.Load(), nil
	}
	var version int
	out, err := m.Run(ctx, Command{Program: "systemd-run", Args: []string{"--version"}})
	if err == nil {
		_, err = fmt.Sscanf(string(out), "systemd %d", &version)
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("needs systemd %d or later, and cannot find out which it is: %w", unitsSince, err)
	case version < unitsSince:
		return false, fmt.Errorf("needs systemd %d or later: this is %d", unitsSince, version)
	}
	m.systemd.Store(true)
	return true, nil
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
