package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// state is an identity as it is kept.
type state struct {
	Version    int        `json:"version"`
	InstanceID string     `json:"instanceId"`
	Source     string     `json:"source"`
	Machine    string     `json:"machine,omitzero"`
	Public     netip.Addr `json:"public"`
	Private    netip.Addr `json:"private"`
	Text       []byte     `json:"text"`
}

const stateVersion = 1

// Marshal writes the identity for Parse, with its tokens: it belongs into a file of mode 0600. Of the user data it keeps what was found,
// not what was changed since.
func (i Identity) Marshal() []byte {
	data, err := json.Marshal(state{stateVersion, i.InstanceID, i.Source, i.Machine, i.Public, i.Private, []byte(i.Text.Reveal())})
	if err != nil {
		panic(err) // there are only texts in it
	}
	return append(data, '\n')
}

// olderGiven is what older guests called Given.
const olderGiven = "settings"

// Parse reads what Marshal wrote. Errors do not quote it.
func Parse(data []byte) (Identity, error) {
	var s state
	switch err := json.Unmarshal(data, &s); {
	case err != nil:
		return Identity{}, errors.New("kept identity: it is damaged: remove the file, and it is found anew")
	case s.Version != stateVersion:
		return Identity{}, fmt.Errorf("kept identity: it has version %d, and only %d is known here", s.Version, stateVersion)
	case s.InstanceID == "" || folderName(s.InstanceID) != s.InstanceID:
		return Identity{}, errors.New("kept identity: instanceId: it names no folder")
	}
	i, err := parse(s.Text)
	if err != nil {
		return Identity{}, fmt.Errorf("kept identity: text: %w", err)
	}
	i.InstanceID, i.Source, i.Machine, i.Public, i.Private = s.InstanceID, s.Source, s.Machine, s.Public, s.Private
	if s.Source == olderGiven {
		i.Source = Given{}.Name()
	}
	return i, nil
}
