// Package vms runs real virtual machines for tests and for the quickstart: Debian under qemu, in software (accel=tcg), without root
// for running them and without touching the network of the host.
//
//	image, err := vms.OpenImage(ctx, cache, nil)
//	vm, err := vms.New(dir, vms.Config{Name: "workers-0", Image: image})
//	err = vm.Start(ctx)
//	out, err := vm.Run(ctx, "uname -r")
//
// An image is built once and kept. Each VM has a disk of its own over it, which outlives reboots and power cuts. A VM reaches nothing
// but what its Config names: addresses that are forwarded to the host (metadata, heads, iSCSI targets), and Links, which are cables to
// other VMs. It is driven through a port of its own (Run) and heard on its console, never through the network that is under test.
//
// What a VM of COMET needs is known to the callers, not here.
package vms
