package main

import (
	"slices"
	"strings"
)

// oldNames are the names of the older tools with what they become: a command and its arguments, before those of the caller. The names are
// links to this program.
var oldNames = map[string][]string{
	"neuca-user-data":        {"user-data", "--as-older-tools"},
	"neuca-get":              {"get", "--as-older-tools"},
	"neuca-get-public-ip":    {"public-ip", "--as-older-tools"},
	"neuca-users":            {"show", "--as-older-tools", "users"},
	"neuca-interfaces":       {"show", "--as-older-tools", "interfaces"},
	"neuca-storage":          {"show", "--as-older-tools", "storage"},
	"neuca-routes":           {"show", "--as-older-tools", "routes"},
	"neuca-user-script":      {"show", "--as-older-tools", "--script", "bootscript", "scripts"},
	"neuca-all-user-scripts": {"show", "--as-older-tools", "--all-scripts", "scripts"},
	"neuca-netconf":          {"once", "--only", "interfaces", "--only", "router", "--only", "routes"},
	"neuca-run-scripts":      {"once", "--only", "scripts"},
	"neuca-distro":           {"distro"},
	"neuca-version":          {"--version"},
	"neucad":                 {"neucad"},
	"hostkeyd":               {"hostkeyd"},
}

// isOld reports whether the program was called by the name of an older tool.
func isOld(name string) bool { _, ok := oldNames[name]; return ok }

// oldArgs are the arguments that do what the older tool of that name did. neuca-get's own arguments come behind, a script's name too.
func oldArgs(name string, args []string) []string {
	if name == "neuca-user-script" && len(args) == 1 && !strings.HasPrefix(args[0], "-") {
		return []string{"show", "--as-older-tools", "--script", args[0], "scripts"}
	}
	fixed := oldNames[name]
	flags := len(fixed)
	if fixed[0] == "show" { // what is to be shown comes last, behind the caller's flags
		flags--
	}
	return slices.Concat(fixed[:flags], args, fixed[flags:])
}
