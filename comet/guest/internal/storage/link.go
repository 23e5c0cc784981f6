package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// link is what udev calls a disk by its way: "ip-10.0.0.1:3260-iscsi-iqn.2026-01.org.example:disk-lun-1" below /dev/disk/by-path.
type link struct {
	path   string
	portal netip.AddrPort
	target string
	lun    string
}

// links returns those of all iSCSI disks; parts of disks are not among them.
func (s *Storage) links() (list []link, err error) {
	entries, err := os.ReadDir(s.byPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if l, ok := parseLink(e.Name()); ok {
			l.path = filepath.Join(s.byPath, e.Name())
			list = append(list, l)
		}
	}
	return list, nil
}

func parseLink(name string) (l link, ok bool) {
	way, ours := strings.CutPrefix(name, "ip-")
	portal, rest, is := strings.Cut(way, "-iscsi-")
	at := strings.LastIndex(rest, "-lun-")
	if !ours || !is || at < 0 {
		return l, false
	}
	l.target, l.lun = rest[:at], rest[at+len("-lun-"):]
	colon := strings.LastIndexByte(portal, ':')
	if colon < 0 {
		return l, false
	}
	address, err := netip.ParseAddr(strings.Trim(portal[:colon], "[]")) // IPv6 stands there with brackets or without
	port, err2 := strconv.ParseUint(portal[colon+1:], 10, 16)
	l.portal = netip.AddrPortFrom(address, uint16(port))
	return l, err == nil && err2 == nil
}

// is reports whether it is a disk that may be the one that is ordered.
func (l link) is(o order) bool { return l.portal == o.portal && l.lun == lunName(o.lun) }

// lunName is how udev writes a number: as it is up to 255, then in the way of SCSI's flat addresses.
func lunName(lun int) string {
	if lun < 256 {
		return fmt.Sprint(lun)
	}
	return fmt.Sprintf("0x%04x%04x00000000", lun&0xffff, lun>>16)
}
