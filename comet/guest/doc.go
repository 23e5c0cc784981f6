// Package guest does what a VM of a slice does with COMET. With the other VMs of its groups it exchanges addresses, SSH keys and host keys:
// it publishes its own, and keeps /etc/hosts, root's authorized_keys and /etc/ssh/ssh_known_hosts by theirs. As its aggregate manager tells
// it, it also keeps the VM's name, network interfaces, routes, users and iSCSI disks, and runs scripts.
//
//	g, err := guest.New(guest.Settings{Address: address}, guest.Member{Client: client, Self: userData})
//	status, err := g.Once(ctx)
//
// Each of these is a module, which can be on, off, or only observe; ModuleNames lists them. Each pass looks at what is wanted, compares, and
// changes only what differs; one module that fails stops no other. What other VMs wrote is input from strangers: it is parsed, written in
// canonical form, or left out with a warning that names the VM. What cannot be believed takes nothing away: an answer in which the VM does
// not find its own entry says nothing about the others.
//
// All files lie below Settings.Root. Where that is /, modules also change the machine itself, such as the kernel's name, its network and its
// disks, and run commands of the system; with any other root nothing but files below it is touched, and such modules are StateNotHere.
//
// Who the VM is, and how a guest is kept running on a machine, is for package service; flags and printing belong to cmd/comet-guest.
package guest
