// Package doctor examines what stands between a caller and its heads: files, names, tokens, and of each head DNS, connection, TLS,
// version, latency and clock. Examine returns what it found as data, with what to do about each problem; printing is the caller's.
//
// Heads are asked for their version and nothing else. No token is sent to them, and neither tokens nor passwords are in a report.
package doctor
