// Package peers exchanges hosts and keys between the VMs of a slice. It has the modules
//
//   - publish: the VM's own address, SSH key and SSH host keys, kept true in its own entries;
//   - hosts: the names and addresses of the other VMs, in /etc/hosts;
//   - pubkeys: their SSH keys, in root's authorized_keys;
//   - known-hosts: their SSH host keys, in ssh's list of known hosts.
//
// What another VM wrote is input from a stranger: it is parsed and written in canonical form, or left out with a note that names the
// VM. A name belongs to the VM that had it first, and no VM can take those of localhost, of heads, of other machines or of public sites.
//
// Heads are asked in package known; what is believed of their answers is decided there.
package peers
