// Package identity finds out who a VM is: what its user data says, under which ID its state is kept, and which address it publishes.
//
//	search := identity.Search{Sources: identity.Places{File: identity.File{Path: path}}.Sources()}
//	self, err := search.Wait(ctx) // until the network is up
//	address, err := identity.Address{}.Of(ctx, self)
//
// Sources are asked in their order, and the first that has user data counts: a [File], the [Metadata] service of EC2 and OpenStack, a
// [ConfigDrive], or [Given], what flags say. [Identity.Marshal] and [Parse] keep the last one on disk.
//
// What a source says is input like any other: bounded in size and time, parsed, and never quoted in an error. What the VM then does
// belongs to comet/guest; nothing here asks a head or changes the machine, but that a config drive is mounted while it is read.
package identity
