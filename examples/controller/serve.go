package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
)

// routes are the requests that there are. All may be repeated.
func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /slices/{slice}", answer(s.create))
	mux.HandleFunc("PATCH /slices/{slice}", answer(s.extend))
	mux.HandleFunc("GET /slices/{slice}", answer(s.show))
	mux.HandleFunc("DELETE /slices/{slice}", answer(s.delete))
	mux.HandleFunc("DELETE /slices/{slice}/vms/{vm}", answer(s.withdraw))
	return mux
}

// create puts down the place-holders of the slice file that is the request's body.
func (s *service) create(r *http.Request) (any, error) {
	slice, err := sliceOf(r)
	if err != nil {
		return nil, err
	}
	created, err := s.controller.Create(r.Context(), s.tokens(r), slice)
	return says{created.String()}, err
}

// extend adds the VMs of the slice file that is the request's body.
func (s *service) extend(r *http.Request) (any, error) {
	slice, err := sliceOf(r)
	if err != nil {
		return nil, err
	}
	created, err := s.controller.Extend(r.Context(), s.tokens(r), slice, scope.Token{})
	return says{created.String()}, err
}

func (s *service) withdraw(r *http.Request) (any, error) {
	vm, err := scope.ParseKey(r.PathValue("vm"))
	if err != nil {
		return nil, invalid(err)
	}
	deleted, err := s.controller.Withdraw(r.Context(), s.tokens(r), vm)
	return says{deleted.String()}, err
}

func (s *service) delete(r *http.Request) (any, error) {
	deleted, err := s.controller.Delete(r.Context(), s.tokens(r))
	return says{deleted.String()}, err
}

// show tells which VMs have reported.
func (s *service) show(r *http.Request) (any, error) {
	tokens, err := controller.LoadTokens(s.tokens(r))
	if err != nil {
		return nil, err
	}
	vms, err := s.controller.Show(r.Context(), tokens.Slice(), tokens)
	reported := map[string]bool{}
	for _, vm := range vms {
		reported[vm.HostName] = vm.Reported()
	}
	return reported, err
}

// tokens is the file of a slice's tokens. A slice's name may be any text, a file's may not.
func (s *service) tokens(r *http.Request) string {
	return filepath.Join(s.dir, url.PathEscape(r.PathValue("slice"))+".json")
}

// sliceOf reads a slice file that must be of the slice that the request is about.
func sliceOf(r *http.Request) (orca.Slice, error) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, 1<<20))
	if err != nil {
		return orca.Slice{}, err
	}
	slice, err := orca.ParseSlice(text)
	if err == nil && slice.ID.String() != r.PathValue("slice") {
		err = errors.New("sliceId: is not that of the request")
	}
	return slice, invalid(err)
}

// invalid marks what the request got wrong.
func invalid(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", comet.ErrInvalid, err)
}

type says struct {
	Says string `json:"says"`
}

// answer makes a handler of what returns data, or an error, of which no text has a token in it.
func answer(do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		data, err := do(r)
		status := http.StatusOK
		if err != nil {
			data, status = says{err.Error()}, statusOf(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(data) // who does not listen any more needs no answer
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, comet.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, comet.ErrNotFound), errors.Is(err, controller.ErrNoReadToken), errors.Is(err, fs.ErrNotExist):
		return http.StatusNotFound
	case errors.Is(err, comet.ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, comet.ErrNoWriteToken), errors.Is(err, controller.ErrNameTaken):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}
