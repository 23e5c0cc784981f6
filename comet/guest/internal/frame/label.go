package frame

import (
	"context"
	"errors"
	"log/slog"
)

// Label gives a file that has just been made the label that SELinux has for its path, which one made by the guest would not get from the
// folder it lies in: sshd takes no keys from a .ssh that has another. Links are not followed. Where there is no SELinux, it does nothing.
func (m *Machine) Label(ctx context.Context, path string) {
	if m.Needs() != nil {
		return
	}
	_, err := m.Run(ctx, Command{Program: "restorecon", Args: []string{path}})
	if err != nil && !errors.Is(err, ErrNoProgram) {
		m.Log.Warn("a new file may have no right SELinux label", slog.String("file", OneLine(path)), slog.Any("because", err))
	}
}
