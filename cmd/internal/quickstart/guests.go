package quickstart

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/guest"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// vm is a VM of the story: a root folder, and a guest that runs in it as soon as it is brought up.
type vm struct {
	orca.VM
	unit orca.Unit
	told orca.UserData
	dir  string

	machine *machine // where the story has real VMs; then none of what follows

	client  *comet.Client
	guest   *guest.Guest
	reports chan guest.Status
	cancel  context.CancelFunc // nil while no guest runs
	ended   chan error
	last    guest.Status
}

// foreign is what stands in a VM's hosts file before any guest comes; it must stay.
const foreign = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n"

// makeRoot makes the VM's root folder.
func (v *vm) makeRoot() error {
	if err := os.MkdirAll(v.root("etc"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(v.root("etc", "hosts"), []byte(foreign), 0o644)
}

func (v *vm) root(parts ...string) string {
	return filepath.Join(append([]string{v.dir, "root"}, parts...)...)
}

func (v *vm) userData() string { return filepath.Join(v.dir, "user-data") }

// passEvery keeps the story short; a VM of a real slice asks less often.
const passEvery = 100 * time.Millisecond

// bringUp starts a guest in each VM that has none. All it is given is the VM's user data and its address.
func (s *Story) bringUp(context.Context) error {
	var names []string
	for _, v := range s.vms {
		if v.cancel != nil {
			continue
		}
		if err := v.start(s.log); err != nil {
			return fmt.Errorf("%s: %w", v.HostName, err)
		}
		names = append(names, v.HostName)
	}
	s.tell("guests started from their user data: %s", strings.Join(names, ", "))
	return nil
}

func (v *vm) start(log *slog.Logger) error {
	self, err := orca.LoadUserData(v.userData())
	if err != nil {
		return err
	}
	address, err := netip.ParseAddr(v.PublicIP)
	if err != nil {
		return err
	}
	log = log.With(slog.String("vm", v.HostName))
	if v.client, err = guest.Connect(self, v.root(), comet.WithLogger(log)); err != nil {
		return err
	}
	v.guest, err = guest.New(guest.Settings{
		Root:    v.root(),
		Address: func() (netip.Addr, error) { return address, nil },
		Every:   passEvery,
		Logger:  log,
	}, guest.Member{Client: v.client, Self: self})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.cancel, v.ended, v.reports = cancel, make(chan error, 1), make(chan guest.Status, 1)
	go func() {
		v.ended <- v.guest.Run(ctx, func(st guest.Status) {
			select {
			case v.reports <- st:
			case <-ctx.Done():
			}
		})
	}()
	return nil
}

// stop ends the guest, if one runs, or the real VM.
func (v *vm) stop() error {
	if v.machine != nil {
		return v.machine.close()
	}
	if v.cancel == nil {
		return nil
	}
	v.cancel()
	err := <-v.ended
	v.cancel = nil
	return errors.Join(err, v.guest.Close(), v.client.Close())
}

// waitTime bounds each waiting of the story.
const waitTime = 10 * time.Second

// waitForAll waits until every guest has the addresses and keys of all the others in its files.
func (s *Story) waitForAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	for _, v := range s.vms {
		for !v.knows(len(s.vms) - 1) {
			select {
			case v.last = <-v.reports:
			case <-ctx.Done():
				return fmt.Errorf("%s knows %d addresses and %d keys of %d: %w", v.HostName, v.last.Module("hosts").Count, v.last.Module("pubkeys").Count, len(s.vms)-1, ctx.Err())
			}
		}
	}
	for _, v := range s.vms {
		if err := v.check(s.vms); err != nil {
			return fmt.Errorf("%s: %w", v.HostName, err)
		}
	}
	s.tell("every guest has the addresses and keys of the %d others in its files", len(s.vms)-1)
	return nil
}

func (v *vm) knows(others int) bool {
	return v.last.Module("hosts").Count == others && v.last.Module("pubkeys").Count == others
}

// check looks into the VM's files.
func (v *vm) check(all []*vm) error {
	hosts, err := os.ReadFile(v.root("etc", "hosts"))
	if err != nil {
		return err
	}
	keys, err := os.ReadFile(v.root("root", ".ssh", "authorized_keys"))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(string(hosts), foreign) {
		return errors.New("/etc/hosts lost lines that were there before")
	}
	for _, other := range all {
		key, err := os.ReadFile(other.root("root", ".ssh", "id_ed25519.pub"))
		if err != nil {
			return err
		}
		line := other.PublicIP + "\t" + other.HostName + "\n"
		if want := other != v; strings.Contains(string(hosts), line) != want || strings.Contains(string(keys), string(key)) != want {
			return fmt.Errorf("address or key of %s: there %v, wanted %v", other.HostName, !want, want)
		}
	}
	return nil
}

// showGuests shows what each guest wrote.
func (s *Story) showGuests(context.Context) error {
	t := cli.Table{Header: []string{"GUEST", "/etc/hosts", "authorized_keys"}}
	for _, v := range s.vms {
		keys, err := os.ReadFile(v.root("root", ".ssh", "authorized_keys"))
		if err != nil {
			return err
		}
		of := keysByOwner(string(keys))
		hosts, err := v.guest.Hosts()
		if err != nil {
			return err
		}
		for i, h := range hosts {
			name := ""
			if i == 0 {
				name = v.HostName
			}
			t.Rows = append(t.Rows, []string{name, h.IP + " " + h.HostName, of[h.HostName]})
		}
	}
	s.Show(t)
	return nil
}

// keysByOwner names the keys of an authorized_keys by the host in their comment.
func keysByOwner(file string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(file) {
		if f := strings.Fields(line); len(f) == 3 {
			_, host, _ := strings.Cut(f[2], "@")
			all[host] = f[0] + " … " + f[2]
		}
	}
	return all
}
