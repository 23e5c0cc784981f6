// Package bolt is a head's store in one file, for one head: embedded, safe against kill -9 and loss of power, and locked against a
// second process. Writers that come at the same time share the disk's syncs.
//
// The file keeps no tokens. It keeps HMAC-SHA256 digests of them under a random key that is also in the file, so the file, of mode
// 0600, is still nobody else's: whoever has it can try out guesses, and reads the values. Its layout is written down in layout.go and
// lasts: a later version that needs another gives it another number.
//
// Operators back the file up while it is in use, restore it, and move entries to other stores; what replaces a file is built beside it
// and takes its name at once.
//
// On a disk that fails or is full the store goes on reading and refuses all changes until it is opened anew.
package bolt
