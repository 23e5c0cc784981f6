package scope

import (
	"log/slog"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// Storage is an element of the family storage: a network disk of the VM. All twelve members are always written, empty where they
// are unset: the old guest drops the whole list when one is missing.
type Storage struct {
	Device       string `json:"device"`      // a name such as dev0, which guests keep a file by
	Type         string `json:"storageType"` // "iscsi"
	TargetIP     string `json:"targetIp"`
	TargetPort   string `json:"targetPort"`
	TargetLUN    string `json:"targetLun"`
	ChapUser     string `json:"targetChapUser"`
	ChapSecret   Hidden `json:"targetChapSecret"`
	ShouldAttach string `json:"targetShouldAttach"` // "yes" or "no"; MayAttach reads what else is found
	FSType       string `json:"fsType"`
	FSOptions    string `json:"fsOptions"`
	ShouldFormat string `json:"fsShouldFormat"` // likewise, by MayFormat
	MountPoint   string `json:"fsMountPoint"`
}

// Kind returns "storage".
func (Storage) Kind() string { return "storage" }

// ElementKey is the device's name.
func (s Storage) ElementKey() string { return s.Device }

// Validate checks the device's name, the type, the target and the two switches.
func (s Storage) Validate() error {
	if err := fileName("device", s.Device); err != nil {
		return err
	}
	if s.Type != "iscsi" {
		return &FieldError{"storageType", "is not iscsi"}
	}
	if _, err := netip.ParseAddr(s.TargetIP); err != nil {
		return &FieldError{"targetIp", "is not an IP address"}
	}
	if p, err := strconv.ParseUint(s.TargetPort, 10, 16); err != nil || p == 0 {
		return &FieldError{"targetPort", "is not a port (1 to 65535)"}
	}
	if _, err := strconv.ParseUint(s.TargetLUN, 10, 16); err != nil {
		return &FieldError{"targetLun", "is not a number"}
	}
	if _, known := flag(s.ShouldAttach); !known || s.ShouldAttach == "" {
		return &FieldError{"targetShouldAttach", "is not one of yes, no"}
	}
	if _, known := flag(s.ShouldFormat); !known {
		return &FieldError{"fsShouldFormat", "is not one of yes, no"}
	}
	if s.MountPoint != "" && (!path.IsAbs(s.MountPoint) || path.Clean(s.MountPoint) != strings.TrimSuffix(s.MountPoint, "/")) {
		return &FieldError{"fsMountPoint", "is not a clean absolute path"}
	}
	return nil
}

// validateNew checks that the switches are as all guests understand them.
func (s Storage) validateNew() error {
	if err := oneOf("targetShouldAttach", strings.ToLower(s.ShouldAttach), "yes", "no"); err != nil {
		return err
	}
	return oneOf("fsShouldFormat", strings.ToLower(s.ShouldFormat), "yes", "no", "")
}

// MayAttach reports whether the disk is to be attached.
func (s Storage) MayAttach() bool { on, _ := flag(s.ShouldAttach); return on }

// MayFormat reports whether a file system may be made on the disk where it is blank. Nothing said means no.
func (s Storage) MayFormat() bool { on, _ := flag(s.ShouldFormat); return on }

// flag reads a switch as handlers have written it: yes or no, true or false, in any case, perhaps with the = in front that stood before it;
// nothing means no.
func flag(text string) (on, known bool) {
	switch strings.ToLower(strings.TrimSpace(strings.TrimPrefix(text, "="))) {
	case "yes", "true":
		return true, true
	case "no", "false", "":
		return false, true
	}
	return false, false
}

// LogValue shows all but the CHAP secret.
func (s Storage) LogValue() slog.Value {
	return slog.GroupValue(slog.String("device", s.Device), slog.String("target", s.TargetIP+":"+s.TargetPort),
		slog.String("lun", s.TargetLUN), slog.String("mountPoint", s.MountPoint))
}
