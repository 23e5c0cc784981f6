// Package interfaces is the guest's module for the network interfaces of a slice: found by hardware address, switched on or off, and
// given the addresses that are wanted, in the running kernel. Nothing of it outlives a reboot; it is done anew at start.
//
// Addresses that the guest has not set itself stay, interfaces that the machine's own contact depends on are not touched, and a change
// that cuts off the heads is taken back. Where the distribution has a program that would fight over an interface (systemd-networkd,
// NetworkManager), that is told, in a file of ours beside its own, to leave it alone; switched off, the module takes these files back.
// ifupdown cannot be told: what a file says of an interface no other file unsays, and /etc/network/interfaces is not ours to rewrite. It
// works at boot, when a card comes, and when it is called; its addresses stay beside those of the guest, and a warning names the file.
//
// Routes are not here but in package routes.
package interfaces
