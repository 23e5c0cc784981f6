// Package network is what the guest's modules know of the kernel's network: links, addresses and routes as they are at one moment
// ([Look]), which link has a hardware address ([State.Find]), which links carry the machine's own contact and must be left as they are
// ([State.Management]), and what no slice may have ([Reserved], [State.Takes]). A [Guard] takes a change back that has cut off the heads,
// and remembers it, so that it is not applied for good when no head can be asked.
//
// It plans nothing: what is wanted of interfaces and routes is decided in the packages of those names. Everything concerns the network
// namespace of the process.
package network
