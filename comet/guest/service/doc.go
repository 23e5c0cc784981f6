// Package service is the life of a VM's guest: it finds out who the VM is, brings the guest up with what was known before, keeps it
// running, takes up changed settings and changed identities, and tells how things are: in a status file, to systemd, and as metrics.
//
//	s := service.Service{Root: "/", Settings: load, Log: log}
//	err := s.Run(ctx, reload)
//
// What a guest does is decided in package guest, who the VM is in package identity. Flags and printing belong to cmd/comet-guest.
package service
