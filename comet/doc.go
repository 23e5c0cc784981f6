// Package comet is the client of COMET heads: it reads, writes, lists and removes the entries of a slice, against heads of this
// project and against deployed COMET-Accumulo heads as they are.
//
//	client, err := comet.New("https://a:8111/,https://b:8111/", tlsConfig)
//	if err != nil { … }
//	defer client.Close()
//	name := scope.MustName(sliceID, "hostsall", reservationID)
//	_, err = client.Write(ctx, name, tokens, scope.Encode(scope.Host{HostName: "workers-0"}))
//	entry, err := client.Read(ctx, name, tokens.Read)
//
// # Several heads
//
// All heads given to [New] serve one store. Each client puts them in a random order of its own and uses the first that is well. A
// head is left when it cannot be reached, fails the TLS handshake, does not answer within the time of one attempt, breaks off, or
// answers 5xx; it then rests for a while that grows with each failure, and a request of its own, made beside the callers', leads
// back to it. A call goes on to the next head at once, so that the caller sees one slower call at most. Heads that say that they
// serve another store than the ones used before are refused: to spread over them would lose what was written.
//
// Every operation may be repeated safely and therefore fails over. What a head answers with 4xx is an answer, with three
// exceptions that deployed heads need: 408 and 425 go on to another head, 429 waits as the head asks but never long, and the refusal of
// a certificate, which may be transient or of one that was renewed meanwhile, is asked once more on a new connection.
//
// The caller's context bounds a call as a whole; an attempt at one head gets a fair share of what is left, at most the time of
// [WithAttemptTimeout].
//
// # Errors
//
// Callers branch with errors.Is on [ErrNotFound], [ErrUnauthorized], [ErrConflict], [ErrUnavailable], [ErrInvalid] and [ErrClosed], and
// find the details with errors.As in an *[Error] (one head's answer) or a *[HeadsError] (what every head said). No error, log line or
// observation holds a token or a value.
//
// A *Client is safe for use by any number of goroutines at once. Close it to end what runs in the background.
package comet
