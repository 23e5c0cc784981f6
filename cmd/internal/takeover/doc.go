// Package takeover moves entries from heads, deployed ones for example, into a store: it reads them as their owners do, with their
// tokens, and writes them under the same tokens.
package takeover
