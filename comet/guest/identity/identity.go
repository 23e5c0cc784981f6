package identity

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// Identity is who a VM is, as one source says. It prints no token.
type Identity struct {
	UserData   orca.UserData
	Text       scope.Hidden // what UserData was read from: an ini file, or OpenStack's meta_data.json
	InstanceID string       // of this VM and no other, not of one made from its image; fit to name a folder
	Public     netip.Addr   // by which it is reached from outside; zero where no source knows it
	Private    netip.Addr   // by which it is reached in its own network; zero where no source knows it
	OpenStack  bool         // Text is OpenStack's metadata, as on Chameleon, where a VM keeps only hosts and public keys unless told otherwise
	Source     string       // where Text was found
	Machine    string       // on which it was found, as Machine says; empty where that is not known
}

// named gives the identity an ID that can name a folder, where its source has none too.
func (i Identity) named() Identity {
	u := i.UserData
	i.InstanceID = folderName(cmp.Or(i.InstanceID, u.ReservationID.String(), u.UnitID, sliceAnd(u.SliceID, u.HostName), "unnamed"))
	return i
}

// sliceAnd names a VM of a slice by something that need not be unique beyond it.
func sliceAnd(slice scope.ContextID, name string) string {
	return strings.Trim(slice.String()+"-"+name, "-")
}

const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// maxFolderName is how long an ID may be before it is cut.
const maxFolderName = 64

// folderName makes an ID fit to name a folder. Where it is changed a digest is added, so that two IDs stay two.
func folderName(id string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(plainCharacters, r) {
			return r
		}
		return '-'
	}, id)
	if hidden, ok := strings.CutPrefix(safe, "."); ok {
		safe = "-" + hidden
	}
	if safe == id && len(id) <= maxFolderName {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	digest := hex.EncodeToString(sum[:8])
	return safe[:min(len(safe), maxFolderName-1-len(digest))] + "-" + digest
}
