package vms

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/netip"

	"golang.org/x/crypto/ssh"
)

// Config is what a VM is made of.
type Config struct {
	Name   string // also its host name, until somebody changes that
	Image  Image
	Memory int     // MiB, 256 where it is 0
	Files  Files   // put down before the first boot
	Cables []Cable // beside the management interface

	// Forward is all that the VM reaches through its management interface: where on the host (HOST:PORT) connections to an address end.
	// Addresses are of 169.254.0.0/16 or 172.16.0.0/12.
	Forward map[netip.AddrPort]string
}

// Cable is an interface on a Link.
type Cable struct {
	Link    *Link
	MAC     net.HardwareAddr
	Address netip.Prefix // that the system gives it; with none the interface is left as it is
}

// Metadata is where a VM asks for what it is.
var Metadata = netip.MustParseAddrPort("169.254.169.254:80")

// The management interface of every VM, on a network that it has for itself.
var (
	ManagementIP  = netip.MustParsePrefix("172.31.255.15/24")
	ManagementMAC = net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0xff}
	gateway       = netip.MustParseAddr("172.31.255.1")
)

// managed is what qemu takes for the management network. It is larger than the VM knows, as only addresses in it can be forwarded.
const managed = "160.0.0.0/4"

const defaultMemory = 256

// files returns what is put down: the Config's, and what makes the VM one of its own.
func (c Config) files() (Files, error) {
	id := make([]byte, 16)
	rand.Read(id)
	key, public, err := hostKey()
	if err != nil {
		return nil, err
	}
	files := Files{
		"etc/machine-id": {Content: hex.EncodeToString(id) + "\n"},
		"etc/hostname":   {Content: c.Name + "\n"},
		"etc/ssh/ssh_host_ed25519_key": {
			Mode:    0o600,
			Content: string(key),
		},
		"etc/ssh/ssh_host_ed25519_key.pub": {Content: string(public)},
		"etc/systemd/network/management.network": {
			Content: network(ManagementMAC, ManagementIP) + fmt.Sprintf("Gateway=%s\n", gateway),
		},
	}
	for i, cable := range c.Cables {
		if cable.Address.IsValid() {
			files[fmt.Sprintf("etc/systemd/network/cable%d.network", i)] = File{Content: network(cable.MAC, cable.Address)}
		}
	}
	maps.Copy(files, c.Files)
	return files, nil
}

func network(mac net.HardwareAddr, address netip.Prefix) string {
	return fmt.Sprintf("[Match]\nMACAddress=%s\n\n[Network]\nAddress=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n", mac, address)
}

// hostKey makes what makes sshd one of its own.
func hostKey() (private, public []byte, err error) {
	seen, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(secret, "")
	if err != nil {
		return nil, nil, err
	}
	line, err := ssh.NewPublicKey(seen)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(line), nil
}
