// Package doctor examines what stands between a caller and its heads: files, names, tokens, and of each head DNS, connection, TLS,
// version, latency, store and clock. Examine returns what it found as data, with what to do about each problem; printing is the caller's.
//
// Heads are asked for their version, and once for the entries of a made-up context under a made-up token, which shows whether their store
// answers. No token of the caller's is sent to them, and neither tokens nor passwords are in a report.
package doctor
