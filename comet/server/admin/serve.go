package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/renci-nrig/comet-go/comet/server/contents"
	"github.com/renci-nrig/comet-go/scope"
)

// Store is what the socket gives access to.
type Store interface {
	contents.Store
	Backup(ctx context.Context, w io.Writer) error
}

// slowest is how long a client may take for a part of a stream: a store that is being read cannot use the room that changes free.
const slowest = 30 * time.Second

// The trailers of a stream.
const (
	trailerDone  = "Comet-Done"
	trailerError = "Comet-Error"
)

// Serve gives access to the store by a socket in its folder dir, until close is called, which cuts off what is under way. The caller
// has the store locked against other processes.
func Serve(store Store, dir string, log *slog.Logger) (close func() error, err error) {
	l, err := listen(dir)
	if err != nil {
		return nil, fmt.Errorf("socket for operators: %w", err)
	}
	s := &http.Server{Handler: handler(store, log), ReadHeaderTimeout: slowest, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("the socket for operators is closed", "error", err)
		}
	})
	return func() error {
		err := s.Close()
		serving.Wait()
		return err
	}, nil
}

func handler(store Store, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /backup", func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "operator takes a backup")
		stream(w, r, store.Backup)
	})
	mux.HandleFunc("GET /export", func(w http.ResponseWriter, r *http.Request) {
		log.InfoContext(r.Context(), "operator takes an export")
		stream(w, r, store.Export)
	})
	mux.HandleFunc("GET /groups", func(w http.ResponseWriter, r *http.Request) {
		groups, err := store.Groups(r.Context())
		answer(w, groups, err)
	})
	mux.HandleFunc("POST /purge", func(w http.ResponseWriter, r *http.Request) {
		removed, err := purge(r, store)
		if removed > 0 {
			log.InfoContext(r.Context(), "operator purged a context", "context", r.FormValue("context"), "entries", removed)
		}
		answer(w, removed, err)
	})
	return mux
}

func purge(r *http.Request, store Store) (int, error) {
	id, err := scope.ParseContextID(r.FormValue("context"))
	if err != nil {
		return 0, err
	}
	since, err := time.Parse(time.RFC3339Nano, r.FormValue("unchangedSince"))
	if err != nil {
		return 0, errors.New("unchangedSince is no time")
	}
	return store.Purge(r.Context(), id, since)
}

func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, oneLine(err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

func stream(w http.ResponseWriter, r *http.Request, write func(context.Context, io.Writer) error) {
	w.Header().Set("Trailer", trailerDone+", "+trailerError)
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := write(r.Context(), &patient{w, http.NewResponseController(w)}); err != nil {
		w.Header().Set(trailerError, oneLine(err))
		return
	}
	w.Header().Set(trailerDone, "true")
}

// patient gives each part of a stream its own time.
type patient struct {
	to      io.Writer
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(slowest)); err != nil {
		return 0, err
	}
	return p.to.Write(b)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
