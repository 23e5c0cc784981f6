package peers

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// reserved are names that belong to every machine itself.
var reserved = map[string]bool{
	"localhost": true, "localhost4": true, "localhost6": true, "ip6-localhost": true, "ip6-loopback": true, "ip6-localnet": true,
	"ip6-mcastprefix": true, "ip6-allnodes": true, "ip6-allrouters": true, "broadcasthost": true, "gateway": true, "metadata": true,
	"wpad": true, "isatap": true,
}

// checkName says why a name cannot be a peer's. domain is the VM's own; heads are the names of heads.
func checkName(name, domain string, heads map[string]bool) error {
	if err := scope.ValidHostName(name); err != nil {
		return fmt.Errorf("hostName %w", err)
	}
	switch {
	case reserved[name], strings.HasPrefix(name, "localhost."):
		return errors.New("hostName is reserved for the machine itself")
	case heads[name]:
		return errors.New("hostName is that of a head")
	case numeric(name):
		return errors.New("hostName looks like an address")
	case strings.Contains(name, ".") && (domain == "" || !strings.HasSuffix(name, "."+domain)):
		return errors.New("hostName has a dot and is not within the VM's own domain")
	}
	return nil
}

// numeric reports whether programs would read the name as an IPv4 address in one of its old forms: its last label is a number.
func numeric(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
}

// checkAddress returns a peer's address in canonical form, invalid where it has none yet.
func checkAddress(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, errors.New("ip is not an IP address that others can use")
	}
	a = a.Unmap()
	if !usable(a) {
		return netip.Addr{}, fmt.Errorf("ip %s is not an address of a VM", a)
	}
	return a, nil
}

var thisNetwork, class4 = netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4")

// usable leaves out addresses that mean every machine's own, many machines, or none.
func usable(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsMulticast() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() && !thisNetwork.Contains(a) && !class4.Contains(a)
}
