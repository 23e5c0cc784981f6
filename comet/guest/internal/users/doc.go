// Package users keeps the accounts of a VM as its users are wanted: the login, its SSH keys, sudo without a password.
//
// What the guest has made it notes in a ledger, before it makes it, and only that does it take back; its block of keys and its drop-in
// count as made by it wherever they come from. An account that was there before gets the keys and sudo, and loses them when they are no
// longer wanted; it is never locked, and nothing else of it changes. Nor does a home that was there before its account. An account that
// the guest made and that is no longer wanted expires, so that nobody gets in any more; its home, its files and its password stay, and if
// it is wanted again it is opened again. Sessions that are open are not ended.
//
// Keys stand in the block "comet user keys" of the file in which sshd looks for them. A home belongs to its user, who may put links into
// it at any moment: none is followed, and nothing outside it can be reached through it. Sudo is a file of its own in /etc/sudoers.d,
// which visudo has found to be right before it is there; what older tools have written into /etc/sudoers is only spoken of. Of root, and
// of other names of the user 0, only the keys are kept.
//
// Home, shell and group are the system's choice. Networks of the VM, its scripts and the keys of other VMs are other packages' business.
package users
