// Package sshkey reads, checks, makes and writes the SSH keys that a guest deals with: the pair of root on its own VM, the VM's host
// keys, and the public keys that others claim to have.
package sshkey
