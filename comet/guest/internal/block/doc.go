// Package block keeps one block of lines, between a BEGIN and an END line, in a text file that belongs to others: /etc/hosts, an
// authorized_keys. It works on bytes and does no I/O; reading and replacing the file is its callers' business.
//
// [Set] puts lines into the block and [Get] finds them. Whatever stands outside the block is foreign and survives byte for byte,
// in its order: other line ends, NUL bytes, text that is no UTF-8, blocks of other programs. The one thing that is ever added to
// it is a newline, where a foreign line without one would run into the next.
//
// # What counts as ours
//
// The text of a marker is one wherever it stands, also glued to the end of another line or with another line glued to it, since
// older tools wrote both; blanks and a carriage return around it belong to it. The exception is a comment: on a line that starts
// with # and not with a marker, nothing is one, so that a block that somebody commented out, or wrote about, is left alone.
//
//   - From BEGIN to the next END everything is ours.
//   - A BEGIN that has no END, because the file or the next BEGIN comes first, owns the lines directly below it for as long as
//     [Options].Own says that they are ours, and not one more. Without Own that is none.
//   - An END that has no BEGIN goes; the lines above it are foreign.
//   - Of several blocks the first one gives the place. The others go, however many there are.
//
// Set leaves a file in which there is one whole block or none, so a second Set of the same lines changes nothing.
package block
