// Package guest does what a VM of a slice does with COMET: it publishes the VM's own address and SSH key, learns those of the other
// VMs in its groups, and keeps /etc/hosts and root's authorized_keys accordingly.
//
//	g, err := guest.New(client, userData, guest.Settings{Root: "/", Address: address})
//	report, err := g.Once(ctx)
//
// Each pass looks at what is wanted, compares, and changes only what differs. What other VMs wrote is input from strangers: it is
// parsed, written in canonical form, or left out with a warning that names the VM. What cannot be believed takes nothing away: an
// answer in which the VM does not find its own entry says nothing about the others.
//
// All files lie below Settings.Root; nothing outside it is touched. Flags and printing belong to cmd/comet-guest.
package guest
