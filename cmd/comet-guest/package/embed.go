// Package guestunit is what the packages of comet-guest bring beside the program.
package guestunit

import _ "embed"

// Service is the unit that starts comet-guest with the system.
//
//go:embed comet-guest.service
var Service string
