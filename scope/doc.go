// Package scope holds what COMET keeps, as pure data: the names of entries, the tokens that guard them, and the values of the
// families that ORCA, Chameleon and Mobius use. It does no I/O and knows no network; clients, heads and roles all stand on it.
//
// An entry is named by a [ContextID] (one slice), a [Family] (one kind of metadata, perhaps with a group's name behind it) and a
// [Key] (one VM), together a [Name]. [Tokens] make it visible and allow change; a [Token] never prints itself.
//
// What an entry holds is text, by convention the doubly encoded JSON {"val_":"[…]"}. A [List] edits such a value without losing
// what other programs put there; [Decode] and [Encode] go straight to and from typed elements:
//
//	hosts, err := scope.Decode[scope.Host](body)
//	body = scope.Encode(scope.Host{HostName: "workers-0"})
//
// Everything here is a value: copy it, compare it, share it between goroutines. Only a *[List] is edited in place and belongs to
// one goroutine at a time.
package scope
