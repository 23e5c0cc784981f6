package orca

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// field is one field of the user data's section [global], of OpenStack metadata, and mostly also of a unit's properties.
type field struct {
	name     string // in user data and metadata
	property string // of a unit; empty where it has none
	get      func(*UserData) string
	set      func(*UserData, string) error
}

// identityFields are always written, as a comment where they are unset.
var identityFields = []field{
	text("actor_id", "unit.actorid", func(u *UserData) *string { return &u.ActorID }),
	parsed("slice_id", "unit.sliceid", scope.ParseContextID, func(u *UserData) *scope.ContextID { return &u.SliceID }),
	parsed("reservation_id", "unit.rid", scope.ParseKey, func(u *UserData) *scope.Key { return &u.ReservationID }),
	text("unit_id", "unit.id", func(u *UserData) *string { return &u.UnitID }),
	text("router", "unit.isrouter", func(u *UserData) *string { return &u.Router }),
	text("iscsi_initiator_iqn", "unit.iscsi.initiator.iqn", func(u *UserData) *string { return &u.InitiatorIQN }),
	text("slice_name", "unit.slice.name", func(u *UserData) *string { return &u.SliceName }),
	text("unit_url", "unit.url", func(u *UserData) *string { return &u.UnitURL }),
	{"host_name", "unit.hostname",
		func(u *UserData) string { return scope.CanonicalHostName(u.HostName) },
		func(u *UserData, v string) error { u.HostName = scope.CanonicalHostName(v); return nil }},
	text("management_ip", "shirako.save.unit.manage.ip", func(u *UserData) *string { return &u.ManagementIP }),
	text("physical_host", "shirako.save.unit.ec2.host", func(u *UserData) *string { return &u.PhysicalHost }),
	text("nova_id", "shirako.save.unit.ec2.instance", func(u *UserData) *string { return &u.NovaID }),
}

// sliceFields are what the controller records for a VM. Like all COMET fields they are left out where they are unset.
var sliceFields = []field{
	token("slicecometreadtoken", "slice.comet.readToken", func(u *UserData) *scope.Token { return &u.Slice.Tokens.Read }),
	token("slicecometwritetoken", "slice.comet.writeToken", func(u *UserData) *scope.Token { return &u.Slice.Tokens.Write }),
	groups("comethostsgroupread", "unit.comet.hosts.group.read", func(u *UserData) *[]string { return &u.Slice.HostsRead }),
	groups("comethostsgroupwrite", "unit.comet.hosts.group.write", func(u *UserData) *[]string { return &u.Slice.HostsWrite }),
	groups("cometpubkeysgroupread", "unit.comet.pubkeys.group.read", func(u *UserData) *[]string { return &u.Slice.PubKeysRead }),
	groups("cometpubkeysgroupwrite", "unit.comet.pubkeys.group.write", func(u *UserData) *[]string { return &u.Slice.PubKeysWrite }),
}

// headFields stand before the slice's fields, trustFields behind them.
var (
	headFields = []field{
		text("comethost", "", func(u *UserData) *string { return &u.CometHost }),
		token("cometreadtoken", "", func(u *UserData) *scope.Token { return &u.ReadToken }),
	}
	trustFields = []field{
		{"cometcacert", "",
			func(u *UserData) string { return base64.StdEncoding.EncodeToString(u.CACert) },
			func(u *UserData, v string) (err error) { u.CACert, err = decodeBase64(v); return err }},
		text("cometservername", "", func(u *UserData) *string { return &u.ServerName }),
	}
	cometFields  = join(headFields, sliceFields, trustFields)
	globalFields = join(identityFields, cometFields)
)

func join(lists ...[]field) (all []field) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func text(name, property string, at func(*UserData) *string) field {
	return field{name, property,
		func(u *UserData) string { return *at(u) },
		func(u *UserData, v string) error { *at(u) = v; return nil }}
}

// parsed is a field of one of scope's names.
func parsed[T interface{ String() string }](name, property string, parse func(string) (T, error), at func(*UserData) *T) field {
	return field{name, property,
		func(u *UserData) string { return (*at(u)).String() },
		func(u *UserData, v string) (err error) { *at(u), err = parse(v); return reason(err) }}
}

func token(name, property string, at func(*UserData) *scope.Token) field {
	return field{name, property,
		func(u *UserData) string { return at(u).Reveal() },
		func(u *UserData, v string) (err error) { *at(u), err = scope.ParseToken(v); return reason(err) }}
}

func groups(name, property string, at func(*UserData) *[]string) field {
	return field{name, property,
		func(u *UserData) string { return strings.Join(*at(u), ",") },
		func(u *UserData, v string) error { *at(u) = scope.ParseGroups(v); return nil }}
}

// setField sets a field to what a file has for it, or leaves it empty where that means nothing.
func (f field) setField(u *UserData, value string) error {
	if meansNothing(value) {
		return nil
	}
	return f.set(u, value)
}

// meansNothing reports whether a value stands for an unset field.
func meansNothing(value string) bool { return value == "" || value == "Not Specified" || Unset(value) }

func decodeBase64(v string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		return nil, errors.New("is not base64") // the decoder's own error quotes a byte
	}
	return data, nil
}

// reason leaves out which kind of name is wrong, since the field says so.
func reason(err error) error {
	if n, ok := errors.AsType[*scope.NameError](err); ok {
		return errors.New(n.Reason)
	}
	return err
}
