// Package server is a COMET head: it answers the five calls of the COMET protocol from a [Store], as deployed heads answer them,
// and keeps to the protocol's authorization table, which deployed heads do not. It knows neither the client nor the roles.
//
//	store, err := bolt.Open("comet.db")
//	head := server.New(store, server.WithTrust(live.Trusted))
//	err = server.Serve(ctx, head, live.Server(), listener)
//
// # Who may do what
//
// Creating and deleting an entry takes a client certificate that the head trusts; modifying and reading take none. Reading takes
// the entry's read token, changing both of its tokens. Without [WithTrust] or [WithoutCertificateChecks] nobody is trusted. Who has
// a wrong read token is answered as if nothing were there: a write is then an attempt to create.
//
// # Where a head departs from deployed ones
//
// A wrong write token on an existing entry is refused with 403. Every answer is the JSON envelope, errors included. Any Accept
// header is served, and none. A path is cleaned before it is looked up, so that //writeScope is served at once. The value of a
// write's answer says whether the entry was created.
//
// Tokens and values stand in no log line and no error.
package server
