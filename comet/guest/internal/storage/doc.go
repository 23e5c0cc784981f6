// Package storage is the guest's module for the network disks of a VM: attached over iSCSI with open-iscsi's own tools, given a file
// system where that is asked for and the disk is blank, and mounted, also after a reboot.
//
// A disk that holds anything is never formatted. Blank is what two probes find nothing on, whose first and last MiB are zero, and that
// nobody uses. The choice of UUID, disk and size is in a journal, synced, before mkfs starts, and that it has ended well before the disk is
// used. mkfs runs beside the guest and may outlive it: as a unit of systemd where that runs the machine, holding a lock by which the next
// guest knows that it is under way, and leaving a mark with that UUID, synced, when it has ended well. Without lock and mark it was cut
// short, whatever is on the disk by then, and is done again: on a disk that matches the journal, holds nothing but what has the
// journalled UUID, and was never mounted as far as its file system tells, which those of ext do.
// Disks that older guest tools have handled are never formatted.
//
// Portals may keep the module waiting, for minutes where they take connections and say nothing; other modules do not wait for it.
//
// A disk that is not wanted any more is not pulled away under a running VM: while it is in use it stays, and a note says so; it loses its
// line in /etc/fstab, and when nobody uses it the guest logs out, where it was the guest that logged in.
//
// CHAP secrets are in no argument list: they are written into open-iscsi's own records, which only root may read, and go from there with
// the login.
package storage
