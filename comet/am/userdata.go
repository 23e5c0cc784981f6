package am

import (
	"strings"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Heads are what a VM is told of the heads, so that it can find and trust them.
type Heads struct {
	List       string // as in comethost: base URLs separated by commas
	CACert     []byte // DER or PEM; empty where the VM has it already
	ServerName string // names in the heads' certificates, separated by commas, where they are not those in List
}

// UserData returns what a VM is told of itself: who it is, where the heads are, the read token of its own entries, and its part in
// the slice's groups. The write token of its own entries stays with the aggregate manager. A unit without a slice ID or reservation ID is
// ErrIncomplete; a host name that can be none, or a switch for routers that is neither true, false nor user, is an *orca.LineError that
// names the property.
func UserData(unit orca.Unit, heads Heads) (orca.UserData, error) {
	if err := identified(unit); err != nil {
		return orca.UserData{}, err
	}
	if err := scope.ValidHostName(unit.HostName); unit.HostName != "" && err != nil {
		return orca.UserData{}, &orca.LineError{Field: "unit.hostname", Reason: err.Error()}
	}
	switch strings.ToLower(unit.Router) {
	case "", "true", "false", "user":
	default:
		return orca.UserData{}, &orca.LineError{Field: "unit.isrouter", Reason: "is not one of true, false, user"}
	}
	return orca.UserData{
		Identity:   unit.Identity,
		CometHost:  heads.List,
		ReadToken:  unit.Tokens.Read,
		Slice:      unit.Slice,
		CACert:     heads.CACert,
		ServerName: heads.ServerName,
	}, nil
}
