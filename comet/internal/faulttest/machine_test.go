package faulttest_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/orca"
)

// The files of a VM that its guest shares with others.
const (
	hostsFile      = "etc/hosts"
	keysFile       = "root/.ssh/authorized_keys"
	knownHostsFile = "etc/ssh/ssh_known_hosts"
)

// machine is a VM with a root folder of its own, in which its guest works.
type machine struct {
	t       *testing.T
	self    orca.UserData
	program string // the guest is a process of its own; empty: it runs in this one
	dir     string // of what is the machine's beside its root
	volume  string // in which its roots lie

	address atomic.Pointer[netip.Addr]

	mu     sync.Mutex
	root   string
	disks  int
	guest  life // nil while none runs
	gone   bool // the VM is not there any more
	hostID string
}

// life is a guest that runs.
type life interface {
	reload() bool // after settings have changed; false where it cannot be asked to
	end() error   // as a service is stopped
	kill()        // as by a crash
}

func newMachine(t *testing.T, self orca.UserData, program string) *machine {
	m := &machine{t: t, self: self, program: program, dir: t.TempDir()}
	m.volume = m.dir
	text, err := self.INI()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(m.userData(), text, 0o600))
	return m
}

func (m *machine) userData() string { return filepath.Join(m.dir, "user-data") }
func (m *machine) log() string      { return filepath.Join(m.dir, "log") }
func (m *machine) name() string     { return m.self.HostName }

// foreign is what others have written into the files.
var foreign = map[string]string{
	hostsFile:      "127.0.0.1\tlocalhost\r\n# m\xfcnchen\n\n10.9.9.9  mine # here\n",
	keysFile:       "# mine\nfrom=\"10.0.0.0/8\" " + newPublicKey() + " alice\n",
	knownHostsFile: "# of the site\n\nhost.example,10.9.9.8 " + newPublicKey() + "\n",
}

// install gives the machine a new disk, with what its image brings: other files, and SSH host keys that were made at the first start.
func (m *machine) install() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.makeRoom()
	m.disks++
	m.root = filepath.Join(m.volume, fmt.Sprint("root-", m.disks))
	m.hostID = newPublicKey()
	for name, text := range foreign {
		m.write(name, text, 0o600)
	}
	m.write("etc/ssh/ssh_host_ed25519_key.pub", m.hostID+" root@image\n", 0o644)
	m.configure()
}

func (m *machine) write(name, text string, mode os.FileMode) {
	path := filepath.Join(m.root, name)
	assert.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o700))
	assert.NoError(m.t, os.WriteFile(path, []byte(text), mode))
}

// configure writes the settings of a guest that is a process of its own.
func (m *machine) configure() {
	m.write("etc/comet/guest.conf", fmt.Sprintf("[guest]\nmetadata = http://127.0.0.1:1\naddress = %s\nevery = %s\nsettled = %s\nlog-level = debug\n",
		m.address.Load(), guestEvery, 2*guestEvery), 0o644)
}

// move gives the machine another address.
func (m *machine) move(to netip.Addr) {
	m.address.Store(&to)
	m.mu.Lock()
	m.makeRoom() // as who writes settings does
	m.configure()
	reloads := m.guest == nil || m.guest.reload()
	m.mu.Unlock()
	if !reloads {
		m.crash()
		m.start()
	}
}

// start starts the guest unless it runs, or the machine is gone.
func (m *machine) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest != nil || m.gone {
		return
	}
	var err error
	if m.program == "" {
		m.guest, err = m.startInside()
	} else {
		m.guest, err = m.startProcess()
	}
	if err != nil {
		m.guest = nil
	}
	if !errors.Is(err, syscall.ENOSPC) { // or it is started once there is room
		assert.NoError(m.t, err)
	}
}

// fill fills the machine's disk; clear makes room again, and starts the guest that did not start meanwhile.
func (m *machine) fill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	assert.ErrorIs(m.t, fill(m.ballast()), syscall.ENOSPC)
}

func (m *machine) clear() {
	m.mu.Lock()
	m.makeRoom()
	m.mu.Unlock()
	m.start()
}

// makeRoom makes room on the disk if that is full. The lock is held.
func (m *machine) makeRoom() {
	if err := os.Remove(m.ballast()); !os.IsNotExist(err) {
		assert.NoError(m.t, err)
	}
}

func (m *machine) ballast() string { return filepath.Join(m.volume, "ballast") }

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for page := make([]byte, 4096); err == nil; {
		_, err = f.Write(page)
	}
	return err
}

// stop stops the guest as a service is stopped; crash stops it at once.
func (m *machine) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest != nil {
		assert.NoError(m.t, m.guest.end(), "guest of %s", m.name())
		m.guest = nil
	}
}

func (m *machine) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest != nil {
		m.guest.kill()
		m.guest = nil
	}
}

func (m *machine) isProcess() bool { return m.program != "" }

// setClock sets the machine's clock while its guest does not run: what the guest has kept of times is as much older then, or newer.
func (m *machine) setClock(ahead time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, err := filepath.Glob(filepath.Join(m.root, "var/lib/comet-guest/*/known/*.json"))
	assert.NoError(m.t, err)
	for _, path := range kept {
		text, err := os.ReadFile(path)
		assert.NoError(m.t, err)
		shifted := missedAt.ReplaceAllStringFunc(string(text), func(one string) string {
			at, err := time.Parse(time.RFC3339Nano, missedAt.FindStringSubmatch(one)[1])
			assert.NoError(m.t, err)
			return `"missed":"` + at.Add(-ahead).Format(time.RFC3339Nano) + `"`
		})
		assert.NoError(m.t, os.WriteFile(path, []byte(shifted), 0o600))
	}
}

// missedAt is since when a guest misses something.
var missedAt = regexp.MustCompile(`"missed":"([^"]*)"`)

// leave is the end of the machine.
func (m *machine) leave() {
	m.mu.Lock()
	m.gone = true
	m.mu.Unlock()
	m.crash()
}

// disk is where the machine's files lie now.
func (m *machine) disk() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.root
}

// file is what a file holds, empty where it is not there.
func (m *machine) file(name string) string {
	text, err := os.ReadFile(filepath.Join(m.disk(), name))
	if !os.IsNotExist(err) {
		assert.NoError(m.t, err)
	}
	return string(text)
}

// publicKey is root's, as it is published; empty before it was made.
func (m *machine) publicKey() string {
	return strings.TrimSpace(m.file("root/.ssh/id_ed25519.pub"))
}

func newPublicKey() string {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // it never is
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
