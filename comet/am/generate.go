package am

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Generate makes the five families of a VM from its unit properties. What lacks a property that it needs is skipped, as the data
// model says; what has one that makes no sense is an *[orca.LineError] that names the property, and so is a second interface with the same
// mac, or a second route to the same network. A login that is there twice is one user with the keys of both.
func Generate(p orca.Properties) (Families, error) {
	u := unit{Properties: p, seen: map[string]string{}}
	f := Families{
		Users:   u.users(),
		Storage: u.storage(),
		Routes:  u.routes(),
		Scripts: u.scripts(),
	}
	f.Interfaces, f.attach = u.interfaces()
	if u.err != nil {
		return Families{}, u.err
	}
	return f, nil
}

// unit is a VM's properties while they are read. It keeps the first error.
type unit struct {
	orca.Properties
	err  error
	seen map[string]string // which property named an element
}

func (u *unit) fail(key, reason string) {
	if u.err == nil {
		u.err = u.Errorf(key, "%s", reason)
	}
}

// check validates an element. named says which property each of its members comes from.
func (u *unit) check(e scope.Element, named map[string]string) {
	if field, ok := errors.AsType[*scope.FieldError](scope.ValidateNew(e)); ok {
		u.fail(named[field.Field], field.Reason)
	}
}

// once refuses an element that another property has named already.
func (u *unit) once(e scope.Element, property string) {
	id := e.Kind() + " " + e.ElementKey()
	if other, twice := u.seen[id]; twice {
		u.fail(property, "is that of "+other+" too")
	}
	u.seen[id] = property
}

// word returns a property that is a switch or state as COMET keeps it.
func (u *unit) word(key, otherwise string) string { return cmp.Or(orca.Word(u.Text(key)), otherwise) }

// numbered returns prefix+N for every N that occurs behind the prefix, as prefixN or prefixN.anything, in the order of the numbers.
func (u *unit) numbered(prefix string) []string {
	var found []string
	for _, key := range u.Keys() {
		rest, ok := strings.CutPrefix(key, prefix)
		number, _, _ := strings.Cut(rest, ".")
		if ok && isNumber(number) {
			found = append(found, number)
		}
	}
	return inOrder(prefix, found)
}

// inOrder sorts numbers, whatever their length, takes each once, and puts the prefix before them.
func inOrder(prefix string, numbers []string) []string {
	slices.SortFunc(numbers, func(a, b string) int {
		shortA, shortB := strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(shortA), len(shortB)), cmp.Compare(shortA, shortB), cmp.Compare(a, b))
	})
	names := slices.Clone(slices.Compact(numbers))
	for i, n := range names {
		names[i] = prefix + n
	}
	return names
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func (u *unit) users() []scope.User {
	const logins = "config.ssh.numlogins"
	var numbers []string
	for n := range strings.SplitSeq(u.Text(logins), ",") {
		if n = strings.TrimSpace(n); n == "" {
			continue
		}
		if !isNumber(n) {
			u.fail(logins, "is not a list of numbers, separated by commas")
			return nil
		}
		numbers = append(numbers, n)
	}
	var users []scope.User
	for _, at := range inOrder("config.ssh.user", numbers) {
		keys := publicKeys(u.Text(at + ".keys"))
		user := scope.User{Login: u.Text(at + ".login"), Sudo: u.word(at+".sudo", ""), Keys: keys}
		if user.Login == "" || user.Sudo == "" || len(keys) == 0 {
			continue
		}
		u.check(user, map[string]string{"user": at + ".login", "sudo": at + ".sudo", "key": at + ".keys"})
		users = u.addUser(users, user, at)
	}
	return users
}

// addUser adds a user, or only the keys where the login is there already. The two must agree on sudo.
func (u *unit) addUser(users []scope.User, user scope.User, at string) []scope.User {
	i := slices.IndexFunc(users, func(other scope.User) bool { return other.ElementKey() == user.ElementKey() })
	if i < 0 {
		user.Keys = joined(user.PublicKeys())
		return append(users, user)
	}
	if users[i].Sudo != user.Sudo {
		u.fail(at+".sudo", "is not what another user of that login has")
	}
	keys := users[i].PublicKeys()
	users[i].Keys = joined(append(keys, further(keys, user.PublicKeys())...))
	return users
}

// publicKeys takes the lines of a property apart. Comments count for nothing.
func publicKeys(text string) []string {
	var keys []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			keys = append(keys, line)
		}
	}
	return keys
}

// joined returns keys as ORCA keeps them, joined by colons, unless they could not be told apart then.
func joined(keys []string) scope.KeyText {
	one := scope.KeyText{scope.JoinKeys(keys)}
	if slices.Equal(scope.User{Keys: one}.PublicKeys(), keys) {
		return one
	}
	return keys
}

// further returns those of the keys that are not known, each once.
func further(known, keys []string) (more []string) {
	for _, key := range keys {
		if !slices.Contains(known, key) && !slices.Contains(more, key) {
			more = append(more, key)
		}
	}
	return more
}

func (u *unit) interfaces() (interfaces []scope.Interface, attach []string) {
	for _, at := range u.numbered("unit.eth") {
		hostEth, mac, tag := u.Text(at+".hosteth"), u.Text(at+".mac"), u.Text(at+".vlan.tag")
		if hostEth == "" || mac == "" || tag == "" {
			continue
		}
		i := scope.Interface{
			MAC:       scope.CanonicalMAC(mac),
			State:     u.word(at+".state", "up"),
			IPVersion: u.word(at+".ipversion", "ipv4"),
			HostEth:   hostEth,
			IP:        u.Text(at + ".ip"),
			VLANTag:   tag,
		}
		u.check(i, map[string]string{"mac": at + ".mac", "state": at + ".state", "ipVersion": at + ".ipversion", "ip": at + ".ip",
			"hosteth": at + ".hosteth", "vlanTag": at + ".vlan.tag"})
		u.once(i, at+".mac")
		interfaces = append(interfaces, i)
		attach = append(attach, hostEth+"."+tag+"."+mac)
	}
	return interfaces, attach
}

func (u *unit) storage() []scope.Storage {
	var stores []scope.Storage
	for i, at := range u.numbered("unit.storage") {
		target := at + ".target"
		ip, port := u.Text(target+".ip"), u.Text(target+".port")
		if u.word(at+".type", "") != "iscsi" || ip == "" || port == "" {
			continue
		}
		secret, _ := u.Get(target + ".chap_password")
		s := scope.Storage{
			Device:       "dev" + strconv.Itoa(i),
			Type:         "iscsi",
			TargetIP:     ip,
			TargetPort:   port,
			TargetLUN:    cmp.Or(u.Text(target+".lun.num"), "0"),
			ChapUser:     u.Text(target + ".chap_user"),
			ChapSecret:   scope.Hide(secret),
			ShouldAttach: u.word(target+".should_attach", "no"),
			FSType:       u.Text(at + ".fs.type"),
			FSOptions:    u.Text(target + ".options"),
			ShouldFormat: u.word(target+".should_format", "no"),
			MountPoint:   u.Text(target + ".mount_point"),
		}
		u.check(s, map[string]string{"targetIp": target + ".ip", "targetPort": target + ".port", "targetLun": target + ".lun.num",
			"targetShouldAttach": target + ".should_attach", "fsShouldFormat": target + ".should_format",
			"fsMountPoint": target + ".mount_point"})
		stores = append(stores, s)
	}
	return stores
}

func (u *unit) routes() []scope.Route {
	var routes []scope.Route
	for _, at := range u.numbered("unit.route") {
		r := scope.Route{Network: u.Text(at + ".network"), NextHop: u.word(at+".nexthop", "")}
		if r.Network == "" || r.NextHop == "" {
			continue
		}
		u.check(r, map[string]string{"routeNetwork": at + ".network", "routeNextHop": at + ".nexthop"})
		u.once(r, at+".network")
		routes = append(routes, r)
	}
	return routes
}

func (u *unit) scripts() []scope.Script {
	const boot, prefix = "unit.instance.config", "unit.script"
	var scripts []scope.Script
	add := func(key, name string) {
		if body, _ := u.Get(key); body != "" {
			s := scope.Script{Name: name, Body: scope.Hide(body)} // byte for byte: here-documents and blank lines count
			u.check(s, map[string]string{"scriptName": key, "scriptBody": key})
			scripts = append(scripts, s)
		}
	}
	add(boot, scope.BootScript)
	for _, at := range u.numbered(prefix) {
		add(at, "script_"+strings.TrimPrefix(at, prefix))
	}
	return scripts
}
