package storage

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// order is what is wanted of one disk.
type order struct {
	name    string
	portal  netip.AddrPort
	lun     int
	user    string
	secret  scope.Hidden
	fsType  string
	options []string // of mkfs
	format  bool
	mount   string // absolute and clean; empty where it is not mounted
}

// ordersOf reads the elements, in their order. One that makes no sense is left out; those that are not to be attached are refused.
func ordersOf(elements []scope.Storage) (list []order, refused map[string]bool, notes []frame.Note) {
	refused = map[string]bool{}
	seen := map[string]bool{}
	for i, e := range elements {
		o, err := check(e)
		if err == nil && seen[o.name] {
			err = wrong("device", "is there twice: the first one counts")
		}
		if err == nil {
			err = o.clash(list)
		}
		if err != nil {
			about := "storage " + frame.OneLine(e.Device)
			if e.Device == "" || len(e.Device) > longestName {
				about = fmt.Sprintf("storage, element %d", i)
			}
			notes = append(notes, frame.Note{Kind: frame.LeftOut, About: about, Why: err.Error()})
			continue
		}
		seen[o.name] = true
		if e.MayAttach() {
			list = append(list, o)
		} else {
			refused[o.name] = true
		}
	}
	return list, refused, notes
}

func wrong(field, reason string) error { return &scope.FieldError{Field: field, Reason: reason} }

const longestName = 64

// names of devices are also those of files and units.
var names = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// fsTypes are the names of file systems, and part of the name of a program.
var fsTypes = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}$`)

func check(e scope.Storage) (o order, err error) {
	for _, field := range []*string{&e.ChapUser, &e.FSType, &e.FSOptions, &e.ShouldFormat, &e.MountPoint} {
		if orca.Unset(*field) {
			*field = ""
		}
	}
	if orca.Unset(e.ChapSecret.Reveal()) {
		e.ChapSecret = scope.Hidden{}
	}
	if err := e.Validate(); err != nil {
		return o, err
	}
	o = order{name: e.Device, user: e.ChapUser, secret: e.ChapSecret, fsType: e.FSType, format: e.MayFormat()}
	if len(o.name) > longestName || !names.MatchString(o.name) {
		return o, wrong("device", "is no plain name of letters, digits, -, _ and dots")
	}
	if err := o.target(e); err != nil {
		return o, err
	}
	if err := o.chap(); err != nil {
		return o, err
	}
	if o.fsType != "" && !fsTypes.MatchString(o.fsType) {
		return o, wrong("fsType", "is no name of a file system")
	}
	if o.format {
		if o.options, err = mkfsOptions(o.fsType, e.FSOptions); err != nil {
			return o, err
		}
	}
	if e.MountPoint != "" {
		o.mount = path.Clean(e.MountPoint)
		return o, checkMountPoint(o.mount)
	}
	return o, nil
}

func (o *order) target(e scope.Storage) error {
	ip, err := netip.ParseAddr(e.TargetIP)
	if err != nil || ip.Zone() != "" || ip.Is4In6() || ip.IsUnspecified() || ip.IsMulticast() {
		return wrong("targetIp", "is no address of a target")
	}
	port, err := strconv.ParseUint(e.TargetPort, 10, 16)
	if err != nil {
		return wrong("targetPort", "is not a port (1 to 65535)")
	}
	lun, err := strconv.ParseUint(e.TargetLUN, 10, 14)
	if err != nil {
		return wrong("targetLun", "is no number up to 16383")
	}
	o.portal, o.lun = netip.AddrPortFrom(ip, uint16(port)), int(lun)
	return nil
}

// chap checks what goes into open-iscsi's records: lines that have no way to quote.
func (o *order) chap() error {
	for _, c := range [][2]string{{"targetChapUser", o.user}, {"targetChapSecret", o.secret.Reveal()}} { // the first is told, each time
		const longest = 255 // open-iscsi cuts it there
		field, value := c[0], c[1]
		switch {
		case len(value) > longest:
			return wrong(field, "is longer than 255 bytes")
		case !utf8.ValidString(value), strings.ContainsFunc(value, unicode.IsControl), strings.TrimSpace(value) != value:
			return wrong(field, "has control characters, or blanks at its ends, which open-iscsi cannot keep")
		}
	}
	switch {
	case o.user == "" && o.secret != scope.Hidden{}:
		return wrong("targetChapUser", "is missing, while there is a secret")
	case o.user != "" && o.secret == scope.Hidden{}:
		return wrong("targetChapSecret", "is missing, while there is a user")
	}
	return nil
}

// clash refuses what would be done to one disk or folder by two orders.
func (o order) clash(others []order) error {
	for _, other := range others {
		if o.portal == other.portal && o.lun == other.lun && o.user == other.user {
			return wrong("targetLun", "is the disk of "+other.name+", which counts")
		}
		if o.mount == "" || other.mount == "" {
			continue
		}
		if within(o.mount, other.mount) || within(other.mount, o.mount) {
			return wrong("fsMountPoint", "is that of "+other.name+", or one lies in the other")
		}
	}
	return nil
}

// within reports whether a path is a folder or lies below it.
func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}

// about is what notes call a disk.
func (o order) about() string { return "storage " + o.name }

// where names the disk as people know it.
func (o order) where() string { return fmt.Sprintf("LUN %d at %s", o.lun, o.portal) }

// same reports whether the ledger's device is the one that is ordered.
func (o order) same(d device) bool { return o.name == d.Name && o.portal == d.Portal && o.lun == d.LUN }
