// Package metadataguard lets only root ask the metadata service of a cloud: what it tells, the slice's tokens among it, is nobody
// else's business.
//
// It is two rules of the machine's packet filter, in a table of its own where there is nftables, else in those of iptables. One is about
// what processes of this machine send; the other about what the machine passes on for others, such as containers and VMs within it, of
// whom it cannot tell which user is asking: none of them may. What a bridge passes on without its being routed is not seen. Both are about
// HTTP alone: in some clouds names are asked for at the same address. Rules of others are not looked at. None outlives a reboot, after
// which the guest sets them again. Switched off, the module takes back what it has set.
package metadataguard
