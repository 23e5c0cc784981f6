//go:build comet_small

package cli

import "encoding/json"

// marshalYAML writes JSON, which is YAML, only not as pleasant to read: the library for the other kind is a twentieth of a guest.
func marshalYAML(data any) ([]byte, error) {
	text, err := json.MarshalIndent(data, "", "  ")
	return append(text, '\n'), err
}
