package storage

import (
	"maps"
	"slices"
	"strings"
)

// maker says how a file system is made that has a UUID of our choice, and which options its mkfs may be given: those that name no file
// or other disk, change neither the UUID nor where on the disk it begins, and do make one.
type maker struct {
	uuid  []string // in front of it
	glued bool     // the UUID follows without a blank
	again []string // in front of the options where there may be a part of such a file system
	flags string   // options without a value
	with  string   // options with a value
}

var makers = map[string]maker{
	"ext2":  {uuid: []string{"-U"}, flags: extFlags, with: extWith},
	"ext3":  {uuid: []string{"-U"}, flags: extFlags, with: extWith},
	"ext4":  {uuid: []string{"-U"}, flags: extFlags, with: extWith},
	"xfs":   {uuid: []string{"-m", "uuid="}, glued: true, again: []string{"-f"}, flags: "fKq", with: "bdilLmns"},
	"btrfs": {uuid: []string{"-U"}, again: []string{"-f"}, flags: "fKqv", with: "AbdLmnOs"},
}

const (
	extFlags = "cDFjqv"
	extWith  = "bCEeGgIiJLmNOor"
)

// elsewhere are the names in values by which a mkfs finds files, other disks, another UUID or another beginning.
var elsewhere = []string{"device", "name", "file", "logdev", "rtdev", "uuid", "offset", "rootdir", "options"}

// withUUID returns the arguments that choose the UUID.
func (m maker) withUUID(uuid string) []string {
	if !m.glued {
		return append(slices.Clone(m.uuid), uuid)
	}
	args := slices.Clone(m.uuid)
	args[len(args)-1] += uuid
	return args
}

// mkfsOptions splits the options for a mkfs at blanks, and refuses what it may not be given.
func mkfsOptions(fsType, text string) (words []string, err error) {
	m, known := makers[fsType]
	if !known {
		return nil, wrong("fsType", "is none of those that are made here: "+strings.Join(slices.Sorted(maps.Keys(makers)), ", "))
	}
	const longest = 1024
	if len(text) > longest {
		return nil, wrong("fsOptions", "is longer than 1024 bytes")
	}
	words = strings.Fields(text)
	for i := 0; i < len(words); i++ {
		letters, isOption := strings.CutPrefix(words[i], "-")
		if !isOption || letters == "" {
			return nil, wrong("fsOptions", "has a word that is no option, and no value of one")
		}
		at := strings.IndexFunc(letters, func(r rune) bool { return !strings.ContainsRune(m.flags, r) })
		if at < 0 {
			continue
		}
		if !strings.ContainsRune(m.with, rune(letters[at])) {
			return nil, wrong("fsOptions", "has an option that is not given to mkfs."+fsType+" here")
		}
		value := letters[at+1:]
		if value == "" {
			if i++; i == len(words) {
				return nil, wrong("fsOptions", "ends where the value of an option is missing")
			}
			value = words[i]
		}
		if err := checkValue(value); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func checkValue(value string) error {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-=,.:^+"
	if strings.Trim(value, plain) != "" || strings.HasPrefix(value, "-") {
		return wrong("fsOptions", "has a value that is not plain")
	}
	for part := range strings.SplitSeq(value, ",") {
		if name, _, _ := strings.Cut(part, "="); slices.Contains(elsewhere, name) {
			return wrong("fsOptions", "has a value that leads elsewhere: "+name)
		}
	}
	return nil
}
