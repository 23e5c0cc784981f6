package tlsconfig

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
)

// logContext: reports belong to no call.
var logContext = context.Background()

// Reload compares the contents of the files with what is in use, now, and takes over what changed; a certificate that is outside its
// period also gives way to a valid one for the same key that was in the files all along. On an error, which names the file,
// what was read before stays in use.
func (l *Live) Reload() error {
	l.loading.Lock()
	return l.look(true)
}

// follow is Reload for a handshake that would be refused: what was found broken before is not tried again, which may take a second of
// key derivation. The background does that, because time may mend a certificate that was not valid yet.
func (l *Live) follow() {
	l.loading.Lock()
	_ = l.look(false) // reported through the logger
}

// glance is for every handshake: it looks whether the files were touched or our certificate has come to its end, and reloads them if so.
// Where another goroutine is at that already, the handshake goes on with what is in use.
func (l *Live) glance() {
	now := stampsOf(l.files.paths())
	l.mu.Lock()
	same := l.stamps.equal(now)
	l.mu.Unlock()
	if (!same || l.current().outdated(l.now())) && l.loading.TryLock() {
		_ = l.look(false) // reported through the logger
	}
	l.report(l.expiring())
}

// verified runs check against the CAs in use; before it fails the files are read once more.
func (l *Live) verified(check func(anchors) error) error {
	m := l.current()
	err := check(m.anchors)
	if err == nil {
		return nil
	}
	l.follow()
	if now := l.current(); now != m {
		return check(now.anchors)
	}
	return err
}

// look is one reading of the files; again tells to try even what was refused already. The caller has locked loading, which is
// unlocked before anything is reported.
func (l *Live) look(again bool) error {
	notices, err := l.renew(again)
	l.report(notices)
	return err
}

func (l *Live) renew(again bool) ([]notice, error) {
	defer l.loading.Unlock()
	paths := l.files.paths()
	l.stamp(stampsOf(paths)) // first, so that a change during the reading shows at the next look
	files := read(paths)
	before, digest := l.current(), files.digest(paths)
	outdated := digest == before.digest && before.outdated(l.now())
	switch {
	case digest == before.digest && !outdated:
		l.settle([sha256.Size]byte{}, nil)
		return nil, nil
	case digest == l.refused && !again:
		return nil, l.broken
	}
	m, err := l.load(files, before, l.now())
	switch {
	case err != nil && outdated: // there is no other certificate in the files; that ours has expired is said by expiring
		l.settle(digest, nil)
		return nil, nil
	case err != nil:
		return l.refuse(digest, fmt.Errorf("certificates not reloaded: %w", err))
	}
	l.use(m)
	changed := notice{slog.LevelInfo, "certificates reloaded", []any{"files", paths}}
	return append([]notice{changed}, warnings(m)...), nil
}

// refuse keeps what is in use and reports a broken replacement once.
func (l *Live) refuse(digest [sha256.Size]byte, err error) ([]notice, error) {
	known := digest == l.refused
	l.settle(digest, err)
	if known {
		return nil, err
	}
	return []notice{{slog.LevelWarn, "the certificates in use stay in use", []any{"error", err}}}, err
}

// settle notes which reading was refused and why, or that none was; loading is held.
func (l *Live) settle(refused [sha256.Size]byte, err error) {
	l.refused = refused
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
}

func (l *Live) stamp(s stamps) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stamps = s
}
