package tlsconfig

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
)

// logContext: reports belong to no call.
var logContext = context.Background()

// Reload compares the contents of the files with what is in use, now, and takes over what changed. On an error, which names the file,
// what was read before stays in use.
func (l *Live) Reload() error {
	notices, err := l.look(true)
	l.report(notices)
	return err
}

// follow is Reload for a handshake: what was found broken before is not tried again, which may take a second of key derivation. The
// background does that, because time may mend a certificate that was not valid yet.
func (l *Live) follow() {
	notices, _ := l.look(false) // reported through the logger
	l.report(notices)
}

// glance looks whether the files were touched, and reloads them if so.
func (l *Live) glance() {
	l.mu.Lock()
	same := l.stamps.equal(stampsOf(l.files.paths()))
	l.mu.Unlock()
	if !same {
		l.follow()
	}
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

// look is one reading of the files; again tells to try even what was refused already.
func (l *Live) look(again bool) ([]notice, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	paths := l.files.paths()
	l.stamps = stampsOf(paths) // first, so that a change during the reading shows at the next look
	files := read(paths)
	digest := files.digest(paths)
	if digest == l.current().digest {
		l.broken, l.refused = nil, [sha256.Size]byte{}
		return nil, nil
	}
	if digest == l.refused && !again {
		return nil, l.broken
	}
	m, err := l.load(files, l.now())
	if err != nil {
		return l.refuse(digest, fmt.Errorf("certificates not reloaded: %w", err))
	}
	l.use(m)
	changed := notice{slog.LevelInfo, "certificates reloaded", []any{"files", paths}}
	return append([]notice{changed}, warnings(m)...), nil
}

// refuse keeps what is in use and reports a broken replacement once.
func (l *Live) refuse(digest [sha256.Size]byte, err error) ([]notice, error) {
	l.broken = err
	if digest == l.refused {
		return nil, err
	}
	l.refused = digest
	return []notice{{slog.LevelWarn, "the certificates in use stay in use", []any{"error", err}}}, err
}
