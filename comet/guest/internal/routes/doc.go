// Package routes is the guest's module for the routes of a slice, in the main table of the running kernel. Nothing of it outlives a
// reboot; it is done anew at start.
//
// The guest's routes carry its [Protocol], by which it knows them again: others stay, unless they lead to a network that is asked for.
// The default route, the routes of the management interface and those that come with an address are never touched, and a change that
// cuts off the heads is taken back. A route is replaced, not deleted and added, and only where it differs.
//
// Addresses are not here but in package interfaces, forwarding is in package router.
package routes
