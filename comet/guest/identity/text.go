package identity

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// maxText is how much is read of anything, and how much compressed data may become.
const maxText = 1 << 20

var errTooLong = errors.New("it is longer than 1 MiB")

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err == nil && len(data) > maxText {
		return nil, errTooLong
	}
	return data, err
}

// expand returns what was compressed with gzip, as user data often is, and other data as it is.
func expand(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = readAll(r)
	}
	switch {
	case errors.Is(err, errTooLong):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("it is compressed, and damaged: %w", err)
	}
	return data, nil
}

// parseINI takes user data, an ini file. What is none is ErrAbsent: people's scripts and cloud-init's files stand in the same place.
func parseINI(data []byte) (Identity, error) {
	text, err := expand(data)
	switch {
	case err != nil:
		return Identity{}, absent(err.Error())
	case len(bytes.TrimSpace(text)) == 0:
		return Identity{}, absent("it is empty")
	case !orca.IsUserData(text):
		return Identity{}, absent("it is no ini file with a section [global]")
	}
	u, err := orca.ParseUserData(text)
	if err != nil {
		return Identity{}, broken(err)
	}
	return Identity{UserData: u, Text: scope.Hide(string(text))}, nil
}

// parseMetadata takes OpenStack's meta_data.json. The metadata of a VM that has nothing to do with COMET is ErrAbsent.
func parseMetadata(data []byte) (Identity, error) {
	text, err := expand(data)
	switch {
	case err != nil:
		return Identity{}, absent(err.Error())
	case !orca.IsMetadata(text):
		return Identity{}, absent("it is no JSON whose meta, or metadata, has slice_id or comethost")
	}
	u, err := orca.ParseMetadata(text)
	if err != nil {
		return Identity{}, broken(err)
	}
	return Identity{UserData: u, Text: scope.Hide(string(text)), InstanceID: uuidIn(text), OpenStack: true}, nil
}

// uuidIn returns the instance's ID in OpenStack's metadata, empty where there is none.
func uuidIn(text []byte) string {
	var instance struct {
		UUID string `json:"uuid"`
	}
	if json.Unmarshal(text, &instance) != nil {
		return ""
	}
	return instance.UUID
}

// parse takes either, told apart by content.
func parse(data []byte) (Identity, error) {
	text, err := expand(data)
	if err != nil {
		return Identity{}, absent(err.Error())
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return parseMetadata(text)
	}
	return parseINI(text)
}
