package server

import (
	"fmt"
	"net/http"
)

// versionValue is what getVersion answers with. Deployed heads have the first two members alone.
type versionValue struct {
	Version    string   `json:"Comet version"`
	API        string   `json:"Comet API version"`
	Extensions []string `json:"Comet extensions,omitempty"`
	Store      string   `json:"Comet store,omitempty"`
}

// extensions are what a head offers beyond the deployed protocol: tokens in headers, conditional reads and changes, many changes at
// once, and waiting for changes.
var extensions = []string{"headers/1", "etag/1", fmt.Sprintf("batch/1;max=%d", maxBatch), "watch/1"}

func (h *Head) version(http.ResponseWriter, *visit) (any, error) {
	v := versionValue{Version: Version, API: APIVersion}
	if !h.plain {
		v.Extensions, v.Store = extensions, h.store.Identity()
	}
	return v, nil
}
