package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

// measured is how many requests the latency is the median of.
const measured = 5

// ask asks for the version, and for entries that are not there, as clients do, and looks on.
func (v *visit) ask(ctx context.Context) {
	client, err := comet.New(v.head, nil,
		comet.WithTLSFor(func(string) *tls.Config { return v.seen.watch(v.trust.config(v.head)) }),
		comet.WithoutTLS(), // what is asked here is no secret
		comet.WithAttemptTimeout(v.step),
		comet.WithObserver(func(a comet.Attempt) { v.attempts = append(v.attempts, a) }))
	if err != nil { // the head was parsed before
		v.add(stepURL, Problem, reason(err), "correct the URL of the head")
		return
	}
	defer client.Close()
	answer := client.Versions(ctx)[0]
	if isTLS(v.head) && !v.judgeTLS(answer.Err) {
		return
	}
	if answer.Err != nil {
		v.versionProblem(answer.Err)
		return
	}
	if answer.Version.Version == "" && answer.Version.API == "" {
		v.add(stepVersion, Problem, fmt.Sprintf("HTTP %d; it does not say what it is", v.attempts[0].Status),
			"see that this is a COMET head, and not another service")
		return
	}
	v.version = &answer.Version
	extensions := "no extensions"
	if list := answer.Version.Extensions; len(list) > 0 {
		extensions = "extensions " + listed(list)
	}
	v.add(stepVersion, OK, fmt.Sprintf("HTTP %d; version %s, API %s; %s; %s", v.attempts[0].Status, answer.Version.Version,
		answer.Version.API, extensions, storeName(answer.Version.Store)), "")
	v.latency(ctx, client)
	v.store(ctx, client)
}

func (v *visit) versionProblem(err error) {
	doThis := "look into the log of the head"
	switch v.attempts[0].Class {
	case comet.ClassTimeout:
		doThis = "the head takes connections and does not answer: look into its log, and start it again"
	case comet.ClassStatus:
		doThis = "look into the log of the head, and at what stands before it; or another service has this port"
		if strings.Contains(reason(err), "speaks TLS") {
			doThis = "name it with https://"
		}
	case comet.ClassBroken:
		if v.seen.look().asked {
			doThis = "look into the log of the head: it may have refused our certificate"
		}
	}
	e, _ := errors.AsType[*comet.Error](err)
	says := reason(err)
	if e != nil && e.Status != 0 && e.Err != nil {
		says = fmt.Sprintf("HTTP %d: %s", e.Status, says)
	}
	v.add(stepVersion, Problem, says, doThis)
}

// latency is the median of a few requests on the connection that is open.
func (v *visit) latency(ctx context.Context, client *comet.Client) {
	ctx, cancel := context.WithTimeout(ctx, v.step)
	defer cancel()
	var took []time.Duration
	for range measured {
		if err := client.Versions(ctx)[0].Err; err != nil {
			v.add("latency", Warning, fmt.Sprintf("answer %d of %d did not come: %s", len(took)+1, measured, reason(err)),
				"examine it again; a head that answers now and then is overloaded or about to fail")
			return
		}
		took = append(took, v.attempts[len(v.attempts)-1].Duration)
	}
	slices.Sort(took)
	v.add("latency", OK, fmt.Sprintf("%s, the median of %d requests (%s to %s)", milliseconds(took[measured/2]), measured,
		milliseconds(took[0]), milliseconds(took[measured-1])), "")
}

// store lists a context and a token that nobody has: a head may know its version while its store is gone.
func (v *visit) store(ctx context.Context, client *comet.Client) {
	ctx, cancel := context.WithTimeout(ctx, v.step)
	defer cancel()
	start := time.Now()
	if _, err := client.List(ctx, nowhere.Context, nowhere.Family, scope.NewToken()); err != nil {
		v.add(stepStore, Problem, "listing entries fails: "+reason(err), "the head answers, its store does not: look into the head's log and its store")
		return
	}
	v.add(stepStore, OK, "answers in "+milliseconds(time.Since(start)), "")
}

// nowhere is a family that nobody has.
var nowhere = scope.MustName("comet-doctor", "hostsall", "none")

// maxSkew is the difference of clocks that is worth a warning.
const maxSkew = 5 * time.Second

// clock compares the clocks by the Date of an answer. Where the head could not be trusted it is asked without verification, since a
// wrong clock may be why; then, too, nothing is sent but the question for the version.
func (v *visit) clock(ctx context.Context) {
	if v.version == nil && !v.seen.look().distrusted() {
		return
	}
	config := v.trust.config(v.head)
	unsure := ""
	if v.version == nil {
		config, unsure = unverified(config), " (the head is not verified)"
	}
	ctx, cancel := context.WithTimeout(ctx, v.step)
	defer cancel()
	ahead, err := skew(ctx, v.head, config)
	switch {
	case err != nil && v.version != nil:
		v.add("clock", Warning, "is not known: "+err.Error(), "compare the clocks of both machines; whether certificates are valid depends on them")
	case err != nil:
	case ahead.Abs() > maxSkew:
		order := "behind"
		if ahead > 0 {
			order = "ahead of"
		}
		v.add("clock", Warning, fmt.Sprintf("the head's is about %s %s ours%s; whether certificates are valid depends on it",
			ahead.Abs().Round(time.Second), order, unsure), "set the clocks of both machines by NTP")
	default:
		v.add("clock", OK, "agrees with ours to a few seconds"+unsure, "")
	}
}

// skew is how far a head's clock is ahead of ours, to about a second.
func skew(ctx context.Context, head string, config *tls.Config) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, head+"/getVersion", nil)
	if err != nil {
		return 0, errors.New("the URL makes no sense")
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true}
	start := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, errors.New(reason(err))
	}
	response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0, errors.New("its answer has no date")
	}
	ours := start.Add(time.Since(start) / 2)
	return date.Add(time.Second / 2).Sub(ours), nil // a date is cut to the second
}
