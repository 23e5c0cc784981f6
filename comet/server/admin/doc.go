// Package admin is the way in for an operator to the embedded store of a running head, which has the store's file locked: a Unix
// socket beside it, that only the head's own user and root can connect to. The head serves it with [Serve]; [Dial] finds it, and its
// [Client] does what the store would do: backup, export, contexts and purging. There are no tokens and no certificates here, so
// nothing of it may ever listen on a network.
//
// Behind the socket is HTTP: GET /backup and /export answer with a stream, GET /groups and POST /purge?context=ID&unchangedSince=TIME
// with JSON. What went wrong is plain text under status 500, or, in a stream, the trailer Comet-Error; a stream without the trailer
// Comet-Done was cut off.
package admin
