package tlsconfig

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"
)

const day = 24 * time.Hour

// urgency counts the thresholds that a certificate has passed on the way to its end.
type urgency int

// thresholds are how long before its end a certificate is warned about, and the end itself.
var thresholds = []time.Duration{30 * day, 7 * day, day, 0}

func urgencyOf(cert *x509.Certificate, now time.Time) (u urgency) {
	for _, before := range thresholds {
		if cert.NotAfter.Sub(now) <= before {
			u++
		}
	}
	return u
}

// expiring returns the warnings that are due and were not given yet, one per certificate and threshold. Between thresholds it costs
// nothing: it is called in every handshake.
func (l *Live) expiring() []notice {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.due) {
		return nil
	}
	l.due = now.Add(day)
	var notices []notice
	m := l.current()
	m.each(func(role string, cert *x509.Certificate) {
		if m.leftOver(role, cert, now) {
			return
		}
		u := urgencyOf(cert, now)
		if int(u) < len(thresholds) {
			l.due = earlier(l.due, cert.NotAfter.Add(-thresholds[u]))
		}
		sum := sha256.Sum256(cert.Raw)
		if u <= l.warned[string(sum[:])] {
			return
		}
		l.warned[string(sum[:])] = u
		notices = append(notices, notice{slog.LevelWarn, expiryText(role, cert, now), []any{"notAfter", cert.NotAfter}})
	})
	return notices
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// expiryWarnings returns every warning that holds now, for Status.
func (m *material) expiryWarnings(now time.Time) (texts []string) {
	m.each(func(role string, cert *x509.Certificate) {
		switch {
		case m.leftOver(role, cert, now):
			texts = append(texts, fmt.Sprintf("%s: certificate %s expired %s, others beside it are valid: remove it", role, describe(cert), stamp(cert.NotAfter)))
		case urgencyOf(cert, now) > 0:
			texts = append(texts, expiryText(role, cert, now))
		}
	})
	return texts
}

// leftOver tells of an expired CA beside valid ones, as bundles hold them: nobody will renew it, and the log is silent about it.
func (m *material) leftOver(role string, cert *x509.Certificate, now time.Time) bool {
	return role == roleCA && now.After(cert.NotAfter) && oneValid(m.anchors.certs, now) == nil
}

// outdated tells whether our own certificate is outside its period.
func (m *material) outdated(now time.Time) bool {
	return m.identity != nil && checkValidity(m.identity.Leaf, now) != nil
}

func expiryText(role string, cert *x509.Certificate, now time.Time) string {
	left := cert.NotAfter.Sub(now)
	if left <= 0 {
		return fmt.Sprintf("%s: certificate %s expired %s: renew it", role, describe(cert), stamp(cert.NotAfter))
	}
	return fmt.Sprintf("%s: certificate %s expires %s, in %s: renew it", role, describe(cert), stamp(cert.NotAfter), inDays(left))
}

func inDays(d time.Duration) string {
	if d < 2*day {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

const roleCA = "CA"

// each visits the own certificate chain and the CAs.
func (m *material) each(visit func(role string, cert *x509.Certificate)) {
	if m.identity != nil {
		for _, cert := range chainIn(*m.identity) {
			visit("identity", cert)
		}
	}
	for _, cert := range m.anchors.certs {
		visit(roleCA, cert)
	}
}
