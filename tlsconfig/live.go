package tlsconfig

import (
	"crypto/sha256"
	"crypto/x509"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultInterval is how often the contents of the files are compared.
const DefaultInterval = 10 * time.Second

// Live is trust and identity from files, which it follows. It is safe for concurrent use.
//
// The files are looked at (stat) as each handshake begins, compared by content at an interval, and read once more before a
// certificate is refused. A replacement that cannot be used is reported, and what was read before stays in use; so it does while a
// reading takes its time. Expiry is warned about 30, 7 and 1 days ahead and when it comes, once each.
type Live struct {
	loader
	log      *slog.Logger
	interval time.Duration
	now      func() time.Time

	state atomic.Pointer[material]

	loading sync.Mutex        // one reading of the files at a time, which may take seconds; taken before mu
	refused [sha256.Size]byte // the reading that was reported as broken

	mu      sync.Mutex // guards the following, for moments: handshakes wait for it
	stamps  stamps
	read    time.Time     // when what is in use was read
	broken  error         // why newer files are not in use
	changed chan struct{} // closed when other files come to use, and replaced
	due     time.Time     // when the next warning of expiry is
	warned  map[string]urgency

	sessionsMu sync.Mutex
	sessions   map[string]*sessions

	stop    chan struct{}
	stopped sync.WaitGroup
	once    sync.Once
}

// Option changes how Open works.
type Option interface{ apply(*Live) }

type option func(*Live)

func (o option) apply(l *Live) { o(l) }

// WithLogger sets where reloads, broken replacements and coming expiry are reported; slog.Default() by default.
func WithLogger(log *slog.Logger) Option { return option(func(l *Live) { l.log = log }) }

// WithInterval sets how often the contents are compared and expiry is looked at; DefaultInterval by default. With zero or less nothing runs
// in the background: files that were touched are read, and warnings of expiry given, as handshakes begin.
func WithInterval(d time.Duration) Option { return option(func(l *Live) { l.interval = d }) }

// WithClock sets the clock that validity is held against; time.Now by default.
func WithClock(now func() time.Time) Option { return option(func(l *Live) { l.now = now }) }

// WithPublicRoots sets which roots count as public for Names.Any; those of the system by default.
func WithPublicRoots(pool *x509.CertPool) Option { return option(func(l *Live) { l.public = pool }) }

// Open reads the files and follows them until Close. The identity is optional for clients; the CA is not (ErrNoCA), unless
// names.Insecure. An error names the file, what is wrong with it and what to do; certificates outside their period are
// refused (*ValidityError).
func Open(files Files, names Names, opts ...Option) (*Live, error) {
	names, err := names.normalised()
	if err != nil {
		return nil, err
	}
	l := &Live{
		loader:   loader{files: files, names: names},
		log:      slog.Default(),
		interval: DefaultInterval,
		now:      time.Now,
		warned:   map[string]urgency{},
		sessions: map[string]*sessions{},
		changed:  make(chan struct{}),
		stop:     make(chan struct{}),
	}
	for _, opt := range opts {
		opt.apply(l)
	}
	if names.Any && l.public == nil {
		l.public, _ = x509.SystemCertPool() // none on this machine: the known issuers remain
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Live) open() error {
	paths := l.files.paths()
	l.stamps = stampsOf(paths)
	m, err := l.load(read(paths), nil, l.now())
	if err != nil {
		return err
	}
	l.use(m)
	if l.names.Insecure {
		l.log.Warn("certificates of heads are not verified: whoever sits in the path can read and change everything")
	}
	l.report(append(warnings(m), l.expiring()...))
	if l.interval > 0 {
		l.stopped.Go(l.watch)
	}
	return nil
}

// Close ends the watching and waits for it. It may be called again; configurations made before stay usable.
func (l *Live) Close() error {
	l.once.Do(func() { close(l.stop) })
	l.stopped.Wait()
	return nil
}

func (l *Live) current() *material { return l.state.Load() }

// Changed returns a channel that is closed when other contents of the files next come to use: after that new handshakes are made with
// them, and connections from before may be renewed. A broken replacement changes nothing. Each change has a channel of its own, so any number
// of goroutines can wait; whoever goes on waiting asks for the next channel before looking at what there is, and misses none.
func (l *Live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// use puts m to use and tells those who wait for a change; the caller holds loading, or is alone.
func (l *Live) use(m *material) {
	now := l.now()
	l.refused = [sha256.Size]byte{}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Store(m)
	l.read, l.broken, l.due = now, nil, time.Time{}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Live) watch() {
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
			_ = l.Reload() // reported through the logger
			l.report(l.expiring())
		}
	}
}

// notice is something to log once no lock is held: a handler may itself use TLS.
type notice struct {
	level slog.Level
	text  string
	args  []any
}

func (l *Live) report(notices []notice) {
	for _, n := range notices {
		l.log.Log(logContext, n.level, n.text, n.args...)
	}
}

func warnings(m *material) []notice {
	var notices []notice
	for _, w := range m.warnings {
		notices = append(notices, notice{slog.LevelWarn, w, nil})
	}
	return notices
}
