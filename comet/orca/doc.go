// Package orca reads and writes the files of ORCA and its relatives: the Java properties of controllers, aggregate managers and
// units, the instance user data that a VM finds at its metadata address, OpenStack metadata, and the slice file.
//
//	[ParseProperties]  Java properties; [FormatProperties] writes them
//	[ParseConfig]      a controller's or aggregate manager's connection settings
//	[NewUnit]          who a VM is and what it may see, from its unit properties
//	[ParseUserData]    the same as the VM itself is told, an ini file; [ParseMetadata] on OpenStack
//	[ParseSlice]       a slice and its VMs, JSON or YAML
//	[ParseClientInput] an input file of the Python COMET client
//
// and, for VMs on OpenStack, [UserData.Metadata] with [FormatMetadata] and [FormatHeat], and [UserData.CloudInit].
//
// Parse takes bytes and does no I/O; Load takes a path. Nothing here speaks to a head or changes a machine. Errors say which
// file, line and field is wrong and never quote a value, which may be a secret. All types are values, safe to share once made.
package orca
