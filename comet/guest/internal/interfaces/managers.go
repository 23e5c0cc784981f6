package interfaces

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// manager is a program of the distribution that configures interfaces. netplan is none: it writes settings for one of these.
type manager struct {
	name   string
	runs   string // a file that is there while it runs
	folder string // of its settings
	ours   func(file string) bool
	files  func(macs []string) map[string]string // ours, for these interfaces: name and content
	reload frame.Command
	older  frame.Command // does the same for releases that do not know reload; none where Program is empty
}

var managers = []manager{
	{
		name:   "systemd-networkd",
		runs:   "run/systemd/netif/state",
		folder: "etc/systemd/network",
		ours: func(file string) bool {
			return strings.HasPrefix(file, "05-comet-guest-") && strings.HasSuffix(file, ".network")
		},
		files:  networkdFiles,
		reload: frame.Command{Program: "networkctl", Args: []string{"reload"}},
	},
	{
		name:   "NetworkManager",
		runs:   "run/NetworkManager",
		folder: "etc/NetworkManager/conf.d",
		ours:   func(file string) bool { return file == networkManagerFile },
		files:  networkManagerFiles,
		reload: frame.Command{Program: "nmcli", Args: []string{"general", "reload", "conf"}},
		older:  frame.Command{Program: "systemctl", Args: []string{"kill", "--signal=HUP", "--kill-who=main", "NetworkManager.service"}},
	},
}

const heading = "# Made by comet-guest, which looks after this interface; to have it back, set its state to user.\n"

// networkdFiles: see systemd.network(5). The first file that fits counts, so their names come early; VLANs and bridges, which may have
// the hardware address of a card below them, are no "ether".
func networkdFiles(macs []string) map[string]string {
	files := map[string]string{}
	for _, mac := range macs {
		files["05-comet-guest-"+mac+".network"] = heading + "[Match]\nMACAddress=" + network.Colons(mac) + "\nType=ether\n\n[Link]\nUnmanaged=yes\n"
	}
	return files
}

const networkManagerFile = "90-comet-guest.conf"

// networkManagerFiles: see NetworkManager.conf(5); += adds to what other files say.
func networkManagerFiles(macs []string) map[string]string {
	if len(macs) == 0 {
		return nil
	}
	var list []string
	for _, mac := range macs {
		list = append(list, "mac:"+network.Colons(mac))
	}
	return map[string]string{networkManagerFile: heading + "[keyfile]\nunmanaged-devices+=" + strings.Join(list, ";") + "\n"}
}

// managers plans that the programs that are there leave the slice's interfaces alone, and no others. What they were told before stays
// as long as the interface is wanted, or not all is known that is. The management interface is never among them: as long as nobody knows
// which one that is, as when a machine starts and waits for an address, they are told of none that they have not been told of before.
func (m *Module) managers(l *looking, orders []order) (steps []frame.Step, err error) {
	for _, one := range managers {
		var told []string
		if len(l.management) > 0 {
			told = slices.Clone(l.told)
		} else if len(l.told) > 0 && m.exists(one.runs) {
			l.plan.Notes = append(l.plan.Notes, frame.Note{Kind: frame.Waiting, About: one.name,
				Why: "is not told which interfaces to leave alone, as long as none leads to the metadata address, to a head or by a default route"})
		}
		for _, mac := range l.ledger.Told[one.name] {
			i := slices.IndexFunc(orders, func(o order) bool { return o.mac == mac })
			if i >= 0 && orders[i].state != user || i < 0 && !l.whole && !m.ignored[mac] {
				told = append(told, mac)
			}
		}
		slices.Sort(told)
		more, failed := m.tell(l, one, slices.DeleteFunc(slices.Compact(told), l.manages))
		steps, err = append(steps, more...), errors.Join(err, failed)
	}
	return steps, errors.Join(err, m.ifupdown(l))
}

// manages reports whether a hardware address is the management interface's, or was when that was last known.
func (l *looking) manages(mac string) bool {
	for index := range l.management {
		a := l.now.Link(index).Attrs()
		if mac == scope.CanonicalMAC(a.HardwareAddr.String()) || mac == scope.CanonicalMAC(a.PermHWAddr.String()) {
			return true
		}
	}
	return slices.Contains(l.ledger.Management, mac)
}

// tell plans one program's files, and that it reads them.
func (m *Module) tell(l *looking, one manager, macs []string) (steps []frame.Step, err error) {
	ours, err := list(m.machine, one)
	runs := m.exists(one.runs)
	if err != nil || !runs && len(ours) == 0 {
		return nil, err
	}
	files := one.files(macs)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		more, err := m.machine.Put(frame.File{Name: path.Join(one.folder, name), Content: []byte(files[name]), Mode: 0o644})
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	for _, name := range ours {
		known := slices.ContainsFunc(l.ledger.Told[one.name], func(mac string) bool { return one.files([]string{mac})[name] != "" })
		if _, keep := files[name]; keep || !l.whole && !known {
			continue
		}
		more, err := m.machine.Remove(path.Join(one.folder, name))
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	if runs && (len(steps) > 0 || !slices.Equal(l.ledger.Told[one.name], macs)) {
		steps = append(steps, m.reload(l, one, macs))
	}
	for i := range steps {
		steps[i].Of = steps[i].Text // interfaces can be had without
	}
	return steps, nil
}

// list returns our files among a program's settings.
func list(m *frame.Machine, one manager) (ours []string, err error) {
	entries, err := fs.ReadDir(m.Root().FS(), one.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if one.ours(e.Name()) {
			ours = append(ours, e.Name())
		}
	}
	return ours, err
}

func (m *Module) exists(name string) bool {
	_, err := m.machine.Root().Lstat(name)
	return err == nil
}

// reload has a program read its settings, and notes that it has.
func (m *Module) reload(l *looking, one manager, macs []string) frame.Step {
	step := m.machine.Exec(one.reload)
	run := step.Do
	step.Do = func(ctx context.Context) error {
		err := run(ctx)
		if err != nil && !unknown(err) {
			return err
		}
		if err != nil && one.older.Program != "" {
			_, err = m.machine.Run(ctx, one.older)
		}
		if err != nil {
			m.machine.Log.Warn(one.name+" is too old to read its settings anew; it does at the next boot", "error", err)
		}
		return m.update(l.ledger.Management, func(b *ledger) { b.Told[one.name] = macs })
	}
	return step
}

// unknown: networkctl before version 244 and nmcli before 1.22 have no reload. The exit status of nmcli for wrong usage is 2.
func unknown(err error) bool {
	code := frame.ExitCode(err)
	return code == 2 || code > 0 && strings.Contains(err.Error(), "Unknown operation")
}

// Withdraw plans that the programs have all interfaces back; addresses stay.
func (m *Module) Withdraw(context.Context) (plan frame.Plan, err error) {
	if m.machine.Needs() != nil {
		return plan, nil
	}
	l := &looking{module: m, whole: true}
	if l.ledger, err = m.load(); err != nil {
		return plan, err
	}
	for _, one := range managers {
		steps, failed := m.tell(l, one, nil)
		plan.Steps, err = append(plan.Steps, steps...), errors.Join(err, failed)
	}
	return plan, err
}

// Cleaning returns the steps that remove our files from the settings of those programs. None is told.
func Cleaning(m *frame.Machine) (steps []frame.Step, err error) {
	for _, one := range managers {
		ours, failed := list(m, one)
		err = errors.Join(err, failed)
		for _, name := range ours {
			more, failed := m.Remove(path.Join(one.folder, name))
			steps, err = append(steps, more...), errors.Join(err, failed)
		}
	}
	return steps, err
}
