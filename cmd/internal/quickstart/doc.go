// Package quickstart brings up a slice from nothing, on loopback and in one folder, with the same packages that the commands use:
// two heads over one store, the controller, the aggregate manager, and a guest per VM, each below a root folder of its own; or, with VMs,
// in a real VM each. It checks that every step had its effect.
package quickstart
