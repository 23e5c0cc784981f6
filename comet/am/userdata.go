package am

import "github.com/renci-nrig/comet-go/comet/orca"

// Heads are what a VM is told of the heads, so that it can find and trust them.
type Heads struct {
	List       string // as in comethost: base URLs separated by commas
	CACert     []byte // DER or PEM; empty where the VM has it already
	ServerName string // names in the heads' certificates, separated by commas, where they are not those in List
}

// UserData returns what a VM is told of itself: who it is, where the heads are, the read token of its own entries, and its part in
// the slice's groups. The write token of its own entries stays with the aggregate manager.
func UserData(unit orca.Unit, heads Heads) orca.UserData {
	return orca.UserData{
		Identity:   unit.Identity,
		CometHost:  heads.List,
		ReadToken:  unit.Tokens.Read,
		Slice:      unit.Slice,
		CACert:     heads.CACert,
		ServerName: heads.ServerName,
	}
}
