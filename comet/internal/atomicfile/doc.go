// Package atomicfile replaces files whole: whoever reads one, at whatever moment the machine stops, finds the old content or the
// new. It knows files, not what is in them.
//
//   - [Write] makes private files of our own, such as state and tokens, at a path.
//   - [Replace] changes a file of the system below an [os.Root] and keeps what the file has besides its content; [Read] reads
//     it under the same rules and [Recover] mends what a crash left of it.
//   - [Lock] keeps processes of our own kind apart.
//
// Content goes to a temporary file in the same folder, is synced, and takes the place of the old file by a rename, after which the
// folder is synced. Where the file is a mount point, as /etc/hosts in a container, there is no renaming: it is rewritten in place
// behind a synced backup, and a crash in between is mended by the next Replace or Recover.
//
// A temporary file is locked while it is used. One that is not, left by a crash, is removed by the next call for the same file (of more
// than eight that wrote one file at once only by Replace and Recover), and none is left by a call that returns an error. Unix only.
package atomicfile
