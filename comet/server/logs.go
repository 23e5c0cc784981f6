package server

import (
	"context"
	"log/slog"
	"time"
)

// WithAccessLog writes a line for every request, at level info: who, as WithAuditLog says it, what, the answer's code and the time taken.
// Without it the head's own log gets these lines at level debug.
func WithAccessLog(log *slog.Logger) Option {
	return func(h *Head) { h.access = log }
}

// WithAuditLog writes a line for every entry that somebody changed or was refused to change, at level info: who by the subject of
// the certificate ("-" where none was shown), whether that is one that the head trusts, from where, which entry, and the outcome:
// created, changed, unchanged, removed, or refused and why.
func WithAuditLog(log *slog.Logger) Option {
	return func(h *Head) { h.audit = log }
}

func (h *Head) logAccess(v *visit, a answer, took time.Duration) {
	log, level := h.log, slog.LevelDebug
	if h.access != nil {
		log, level = h.access, slog.LevelInfo
	}
	if !log.Enabled(v.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("call", v.call), slog.Int("code", a.code), slog.String("subject", v.subject()), slog.Bool("trusted", h.trusted(v)),
		slog.String("remote", v.RemoteAddr), slog.Duration("took", took),
	}
	if !v.context.IsZero() {
		attrs = append(attrs, slog.String("context", v.context.String()))
	}
	switch len(v.names) {
	case 0:
	case 1:
		attrs = append(attrs, slog.String("family", v.names[0].Family.String()), slog.String("key", v.names[0].Key.String()))
	default:
		attrs = append(attrs, slog.Int("entries", len(v.names)))
	}
	if v.limit != "" {
		attrs = append(attrs, slog.String("limit", string(v.limit)))
	}
	log.LogAttrs(context.WithoutCancel(v.Context()), level, "answered", attrs...)
}

func (h *Head) logAudit(v *visit, a answer) {
	if h.audit == nil || !endpoints["/"+v.call].changes {
		return
	}
	who := []slog.Attr{
		slog.String("call", v.call), slog.Int("code", a.code), slog.String("subject", v.subject()), slog.Bool("trusted", h.trusted(v)),
		slog.String("remote", v.RemoteAddr), slog.String("context", v.context.String()),
	}
	write := func(more ...slog.Attr) {
		h.audit.LogAttrs(context.WithoutCancel(v.Context()), slog.LevelInfo, "change", append(who[:len(who):len(who)], more...)...)
	}
	if len(v.names) == 0 {
		write(slog.String("outcome", "refused: "+a.envelope.Message))
	}
	for i, n := range v.names {
		outcome := "refused: " + a.envelope.Message
		if i < len(v.outcomes) {
			outcome = v.outcomes[i]
		}
		write(slog.String("family", n.Family.String()), slog.String("key", n.Key.String()), slog.String("outcome", outcome))
	}
}

// outcome is what became of one change.
func outcome(c Change, r Result) string {
	switch {
	case c.Delete:
		return "removed"
	case r.Created:
		return "created"
	case r.Changed:
		return "changed"
	}
	return "unchanged"
}
