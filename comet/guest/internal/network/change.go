package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// SetUp switches a link on or off.
func SetUp(index int, up bool) error {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	if up {
		return netlink.LinkSetUp(link)
	}
	return netlink.LinkSetDown(link)
}

// SetAddress gives a link an address beside those it has.
func SetAddress(index int, p netip.Prefix) error {
	return netlink.AddrReplace(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}, &netlink.Addr{IPNet: IPNet(p)})
}

// RemoveAddress takes one address from a link. Others of the same network stay, which the kernel would remove together with the first.
// That it is gone already is no error.
func RemoveAddress(index int, p netip.Prefix) error {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return err
	}
	restore, err := promote(link.Attrs().Name)
	if err != nil {
		return err
	}
	err = netlink.AddrDel(link, &netlink.Addr{IPNet: IPNet(p)})
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		err = nil
	}
	return errors.Join(err, restore())
}

// promote lets the other IPv4 addresses of a network outlive its first one.
func promote(name string) (restore func() error, err error) {
	const on = "1"
	file := filepath.Join("/proc/sys/net/ipv4/conf", name, "promote_secondaries")
	before, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(before)) == on { // or there is no IPv4
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, []byte(on), 0); err != nil {
		return nil, fmt.Errorf("keep the other addresses of %s: %w", name, err)
	}
	return func() error { return os.WriteFile(file, before, 0) }, nil
}
