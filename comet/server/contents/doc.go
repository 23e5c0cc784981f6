// Package contents is what operators see of a store, without tokens: its entries as they are kept, its contexts, and the file of an
// export, by which entries move from one store to another. How a store keeps its entries, and who may ask, are not here.
//
// # The file of an export
//
// Lines of JSON, each ended by a newline. The first one is the header:
//
//	{"format":"comet-export/1","store":"IDENTITY","taken":"2026-05-04T12:00:00Z","digests":"…"}
//
// store is the identity of the store that it comes from and taken the time. digests are the 32 bytes, in base64, under which tokens
// became digests: HMAC-SHA256 over the purpose ("read" or "write"), the context and the token, each after its length as four bytes,
// big endian. Then comes a line for each entry:
//
//	{"context":"…","read":"…","family":"…","key":"…","write":"…","modified":"2026-05-04T11:59:58.123Z","value":"…"}
//
// read and write are the digests of its tokens, in base64. A value that is not UTF-8 stands as base64 in "bytes" instead of "value". Where
// somebody owns the entry, and alone may remove it, "owner" is the subject of his certificate. An entry appears once. Removals and
// revisions are not in the file: those of another store say nothing. The last line counts the entries and has the SHA-256 of all lines
// before it, in hexadecimal:
//
//	{"entries":2,"sha256":"…"}
//
// No token is in the file, but it is as secret as the store: who has it reads the values, and can try out guesses of tokens.
package contents
