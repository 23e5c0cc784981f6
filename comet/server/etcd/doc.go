// Package etcd is a head's store on an etcd cluster, for any number of heads. It is the only package that imports etcd's client.
//
//	store, err := etcd.Open(ctx, "etcd://h1:2379,h2:2379,h3:2379/comet", etcd.WithTLSFor(live.Client))
//
// # Layout
//
// All keys lie below the prefix of the URL, for /comet:
//
//	/comet/format                                        comet-etcd/1; comet-etcd/importing-… until a first import is complete
//	/comet/identity                                      a random text
//	/comet/digests                                       the 32 bytes under which tokens become digests
//	/comet/entries/CONTEXT\0DIGEST FAMILY\0KEY           an entry: its front, and the value behind it
//	/comet/removed/CONTEXT\0DIGEST FAMILY\0KEY           the removal of an entry that is not there now: a front
//	/comet/changed/CONTEXT\0DIGEST                       the families of the newest change to the group, each with a \0 behind it
//	/comet/lease/CONTEXT\0DIGEST                         the ID of the lease by which the group ages, 8 bytes
//	/comet/alive/CONTEXT\0DIGEST                         nothing; etcd takes this key away when the lease ends
//	/comet/expired/CONTEXT\0DIGEST                       nothing; its revision is the one in which the group expired last
//
// DIGEST is the 32 bytes of the read token's digest, and what stands in front of FAMILY is a group: what one read token shows in a
// context, one range of keys. Names hold no control characters, so that \0 ends them, and etcd's order of keys is that of family and
// key. A front is its encoding (1), the digest of the write token, the time in milliseconds since 1970 and the number of the
// transaction that wrote it, of 1, 32, 8 and 8 bytes, big endian; with an owner the encoding is 2, and the length of the owner in 2
// bytes and the owner follow. No token is kept, but who may read etcd reads the values, and with the key of the digests can try out
// guesses: a user of its own for the prefix, and TLS, keep others out.
//
// # Revisions
//
// A revision is etcd's, counted from the one that made the store: other programs on the same etcd let it rise without a change of
// ours. A batch is one transaction, so that its entries, removals and groups carry one revision, that of their keys. Removals are
// kept and not compacted: what changed since a revision is found whatever etcd has compacted. A revision that lies in the future,
// as after etcd was restored, is answered with everything. Identity carries the ID of the etcd cluster, which is new after a restore.
//
// # Changes
//
// A batch is read, judged, and made by a transaction that demands that nothing of what was read has changed; where something has,
// all begins again with what there is now. Because the demand fails once the transaction was made, a transaction without an answer is
// sent again to another member, is never made twice and never lands on something newer. Where even then nobody answers, the error
// says that the change may or may not have been made.
//
// # Watching
//
// Every head has one etcd watch, over the groups and not the entries, and tells its own watchers from it. The client finds another
// member when one closes the connection, and within 13 seconds when one just falls silent. What was missed because etcd compacted it
// wakes everybody once.
//
// # Ageing
//
// With an expiry each group has a lease of twice that time, which holds one key alone, so that renewing it changes nothing that has a
// revision. A head renews it when the group is read or written, at most once in the time of the expiry. Once etcd has taken the key
// away a head takes away the group, entries and removals in one revision, by a transaction that demands that the key is not there;
// changes demand that it is, so that none of them is lost between the two.
//
// Heads without an expiry, and imports, cannot renew: they take the name of the lease away from what they change, and their changes
// demand that it is gone. The group then has no age until a head with an expiry looks at it. Such a head, when it opens the store, gives
// a new life to what lapsed while no head ran to renew it; until it has looked at all groups once it takes nothing away.
//
// # Without a quorum
//
// Calls are linearizable: without a majority of the members they all fail with ErrUnavailable, reads within the time of WithTimeout and
// changes within twice that. They work again when etcd does. After etcd was restored from a snapshot heads are to be started again; one
// that was not answers with errors.
//
// # Room
//
// Each change leaves a revision in etcd until that is compacted, which etcd does by itself only where it is told to
// (--auto-compaction-retention). Once its database has reached its quota changes fail with server.ErrNoRoom, removals too, since they leave a
// mark; what is there is read as before.
package etcd
