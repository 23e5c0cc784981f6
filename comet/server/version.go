package server

import "net/http"

// versionValue is what getVersion answers with. Deployed heads have the first two members alone.
type versionValue struct {
	Version    string   `json:"Comet version"`
	API        string   `json:"Comet API version"`
	Extensions []string `json:"Comet extensions,omitempty"`
	Store      string   `json:"Comet store"`
}

func (h *Head) version(http.ResponseWriter, *http.Request) (any, error) {
	return versionValue{Version: Version, API: APIVersion, Store: h.store.Identity()}, nil
}
