package scope

import "strings"

// Family names one kind of metadata. For hosts, pubkeys and tokens a group's name follows the kind without a separator:
// "hostsall" is the kind "hosts" of the group "all". Heads take any family. The zero value names nothing. Comparable.
type Family struct{ name }

// The five families that an aggregate manager puts down for one VM, under that VM's own tokens.
var (
	FamilyUsers      = MustFamily("users")
	FamilyInterfaces = MustFamily("interfaces")
	FamilyStorage    = MustFamily("storage")
	FamilyRoutes     = MustFamily("routes")
	FamilyScripts    = MustFamily("scripts")
)

// The kinds of families that the VMs of a group share, under the slice's read token; a group's name follows.
const (
	KindHosts   = "hosts"
	KindPubKeys = "pubkeys"
	KindTokens  = "tokens"
)

// DefaultGroup is the group of a slice where none is named.
const DefaultGroup = "all"

// InstanceFamilies returns the five families of one VM in the order in which they are put down: scripts last, so that a VM that
// reads in between finds what its scripts may need.
func InstanceFamilies() []Family {
	return []Family{FamilyUsers, FamilyInterfaces, FamilyStorage, FamilyRoutes, FamilyScripts}
}

// ParseFamily checks s and returns it as a Family.
func ParseFamily(s string) (Family, error) {
	n, err := parseName("family", s)
	return Family{n}, err
}

// MustFamily is ParseFamily for literals and tests; it panics where ParseFamily fails.
func MustFamily(s string) Family {
	f, err := ParseFamily(s)
	if err != nil {
		panic(err)
	}
	return f
}

// HostsOf returns the family that holds the host names and addresses of a group.
func HostsOf(group string) (Family, error) { return ParseFamily(KindHosts + group) }

// PubKeysOf returns the family that holds the public SSH keys of a group.
func PubKeysOf(group string) (Family, error) { return ParseFamily(KindPubKeys + group) }

// Split returns the kind and the group: "hosts" and "all" for hostsall, "users" and "" for users. Only hosts, pubkeys and tokens
// are split; every other family is a kind of its own.
func (f Family) Split() (kind, group string) {
	for _, k := range [...]string{KindHosts, KindPubKeys, KindTokens} {
		if rest, ok := strings.CutPrefix(f.text, k); ok {
			return k, rest
		}
	}
	return f.text, ""
}

// Kind returns the family without the group.
func (f Family) Kind() string {
	kind, _ := f.Split()
	return kind
}

// Group returns the name of the group, empty where there is none.
func (f Family) Group() string {
	_, group := f.Split()
	return group
}

// ParseGroups splits a comma-separated list of group names as user data and properties hold it. Blanks around a name, empty names
// and the literal "Not Specified" are left out; repeated names count once.
func ParseGroups(list string) []string {
	var groups []string
	seen := map[string]bool{"": true, "Not Specified": true}
	for g := range strings.SplitSeq(list, ",") {
		if g = strings.TrimSpace(g); !seen[g] {
			seen[g] = true
			groups = append(groups, g)
		}
	}
	return groups
}
