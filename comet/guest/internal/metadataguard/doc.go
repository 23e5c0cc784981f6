// Package metadataguard lets only root ask the metadata service of a cloud: what it tells, the slice's tokens among it, is nobody
// else's business.
//
// It is one rule of the machine's packet filter about what processes of this machine send: a table of its own where there is nftables,
// else a rule of iptables. It is about HTTP alone: in some clouds names are asked for at the same address. Rules of others are not looked at. Neither outlives a reboot, after which the guest sets it again. Switched
// off, the module takes back what it has set.
package metadataguard
