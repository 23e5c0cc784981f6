package storage

import "time"

// Look lets a module look for disks in another folder, and wait no longer than this for one.
func (s *Storage) Look(byPath string, patience time.Duration) {
	s.byPath, s.patience = byPath, patience
}

var (
	MkfsOptions = mkfsOptions
	ParseLink   = func(name string) bool { _, ok := parseLink(name); return ok }
	ParseOffer  = func(text string) bool { _, ok := parseOffer(text); return ok }
	SetRecord   = set
)
