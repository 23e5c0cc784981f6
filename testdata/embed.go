// Package testdata holds the slice that cometctl quickstart brings up, as files beside this one that the tests read as well.
package testdata

import "embed"

// Slice is the folder slice: a slice file, and for each of its three VMs the unit properties, the families that must come of them,
// and the user data.
//
//go:embed slice
var Slice embed.FS
