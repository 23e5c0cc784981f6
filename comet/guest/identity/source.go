package identity

import (
	"context"
	"errors"
	"fmt"
)

// Source is a place where a VM may learn who it is.
type Source interface {
	// Name says in errors and to people what is asked.
	Name() string
	// Look asks once. An error says in one line why the source does not say who the VM is; beside one that matches ErrAbsent the
	// identity holds the addresses that the source knows all the same.
	Look(ctx context.Context) (Identity, error)
}

// What a source may have in place of an identity, for errors.Is. Other errors may pass, such as that nobody answers.
var (
	// ErrAbsent: there is nothing, or nothing that is meant for us.
	ErrAbsent = errors.New("nothing for this VM")
	// ErrBroken: what is there is meant for us and cannot be used. The text says where.
	ErrBroken = errors.New("must be mended")
)

func absent(why string) error { return fmt.Errorf("%w (%s)", ErrAbsent, why) }

func broken(err error) error { return fmt.Errorf("%w: %w", ErrBroken, err) }

// Places say where to look for who the VM is. The zero value looks where clouds have it.
type Places struct {
	File     File     // user data or meta_data.json; none where it has no path
	Metadata Metadata // the cloud's metadata service
	Drive    ConfigDrive
}

// Sources returns the sources in their order: the file, user data and OpenStack's metadata of the metadata service, the config drive.
func (p Places) Sources() []Source {
	cloud := []Source{p.Metadata, p.Drive}
	if p.File.Path == "" {
		return cloud
	}
	return append([]Source{p.File}, cloud...)
}
