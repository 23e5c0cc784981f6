// Package controller does what an ORCA controller, or a slice's owner on another cloud, does with COMET: for every VM of a slice it
// puts down the place-holders that the VM fills in, an entry for its host name and address and one for its SSH key, and takes
// them away with the slice.
//
//	c := controller.New(client, controller.Settings{Hosts: true, PubKeys: true})
//	created, err := c.Create(ctx, "slice.tokens.json", slice)
//
// [Controller.Extend] adds VMs under the read token that the slice has, [Controller.Withdraw] takes single ones away,
// [Controller.Show] tells which have reported, [Controller.Delete] removes the slice.
//
// The slice has one read token and each VM a write token of its own. They are kept in a file, with what they were made for, and are on
// disk before they are used, so that whatever was begun can be finished. Files' formats are those of package orca; printing belongs to
// the commands.
package controller
