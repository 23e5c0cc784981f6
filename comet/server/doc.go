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
// # What a head offers beyond deployed ones
//
// getVersion announces it by name and version; [WithoutExtensions] switches it off. No client needs any of it.
//
//   - headers/1: tokens, percent-encoded, in the headers Comet-Read-Token and Comet-Write-Token.
//   - etag/1: an ETag for what is read or written, conditional reads, and changes that are made only where nobody was faster.
//   - batch/1;max=40: POST /writeScopes and /deleteScopes, JSON with up to so many entries of one context, all changed or none. The
//     type batch in batch.go is the body, batchValue the answer. A refusal has the HTTP status that fits (400, 403, 404, 412, 413);
//     where it is about one entry its value is {"entry":i,"error":"…"}.
//   - watch/1: GET /watchScope answers what changed since a revision, and waits where nothing did. The type watchValue in watch.go
//     is the answer. A watch whose tokens show nothing at all is held five seconds at most. A head that is about to end answers 503
//     with Retry-After.
//
// GET /openapi.json is a description of all of it for programs.
//
// # Who may take how much, and who did what
//
// [WithLimits] bounds what one client may take, [WithCreators] who may create and delete, [WithOwners] who may delete what; stores
// may let entries expire that nobody reads any more. [WithAccessLog] and [WithAuditLog] say who asked and who changed what, and
// package ops answers those who look after a head.
//
// Tokens and values stand in no log line and no error.
package server
