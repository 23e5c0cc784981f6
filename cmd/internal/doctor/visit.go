package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/renci-nrig/comet-go/comet"
)

// visit is the examination of one head. One goroutine runs it.
type visit struct {
	head  string
	step  time.Duration
	trust *trust
	proxy string // which the environment puts before the head; empty: none

	checks   []Check
	version  *comet.Version // nil where it did not say
	attempts []comet.Attempt
	seen     handshake
}

func (v *visit) run(ctx context.Context) {
	if !isTLS(v.head) {
		v.plain()
	}
	addresses, port := v.lookUp(ctx)
	if len(addresses) == 0 || !v.connect(ctx, addresses, port) {
		return
	}
	v.ask(ctx)
	v.clock(ctx)
}

func (v *visit) add(step string, state State, says, doThis string) {
	v.checks = append(v.checks, Check{v.head, step, state, says, doThis})
}

func isTLS(head string) bool { return strings.HasPrefix(head, "https://") }

func hostPort(head string) string {
	_, address, _ := strings.Cut(head, "://")
	return address
}

// plain is about a head without TLS, which is asked for its version all the same: there is no secret in that.
func (v *visit) plain() {
	const says = "is asked without TLS: whoever is in between sees the tokens and changes everything"
	if v.trust.names.Insecure {
		v.add(stepURL, Warning, says, "use https://")
		return
	}
	v.add(stepURL, Problem, says+"; clients refuse it", "use https://, or --insecure if you must")
}

// lookUp finds the addresses of the head, or of the proxy that the environment puts before it.
func (v *visit) lookUp(ctx context.Context) (addresses []string, port string) {
	host, port := v.target()
	if _, err := netip.ParseAddr(host); err == nil {
		v.add(stepDNS, OK, host+" is an address, there is nothing to look up", "")
		return []string{host}, port
	}
	ctx, cancel := context.WithTimeout(ctx, v.step)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		v.dnsProblem(host, err)
		return nil, port
	}
	v.add(stepDNS, OK, fmt.Sprintf("%s is %s", host, listed(addresses)), "")
	return addresses, port
}

func (v *visit) dnsProblem(host string, err error) {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		doThis := "correct the name of the head, or have it entered in DNS"
		if v.proxy != "" {
			doThis = "correct the name of the proxy in HTTPS_PROXY or HTTP_PROXY; " + askDirectly
		}
		v.add(stepDNS, Problem, fmt.Sprintf("no address is known for %s", host), doThis)
		return
	}
	v.add(stepDNS, Problem, fmt.Sprintf("%s cannot be looked up: %s", host, reason(err)), "see that this machine reaches its name servers")
}

// target is where clients connect to.
func (v *visit) target() (host, port string) {
	host, port, _ = net.SplitHostPort(hostPort(v.head))
	u, err := url.Parse(v.head)
	if err != nil {
		return host, port
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		v.add("proxy", Problem, "the environment names a proxy that makes no sense", "correct HTTPS_PROXY or HTTP_PROXY")
		return host, port
	}
	if proxy == nil {
		return host, port
	}
	v.add("proxy", Warning, "is asked through the proxy "+proxy.Host+", as the environment says", askDirectly)
	v.proxy = proxy.Host
	if port = proxy.Port(); port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[proxy.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return proxy.Hostname(), port
}

// dialled is what came of connecting to one address.
type dialled struct {
	address string
	took    time.Duration
	err     error
}

// connect tries every address, because clients may come to use any.
func (v *visit) connect(ctx context.Context, addresses []string, port string) bool {
	ctx, cancel := context.WithTimeout(ctx, v.step)
	defer cancel()
	tried := make([]dialled, len(addresses))
	var all sync.WaitGroup
	for i, a := range addresses {
		all.Go(func() { tried[i] = dial(ctx, net.JoinHostPort(a, port)) })
	}
	all.Wait()
	var worked, failed []string
	var last error
	for _, d := range tried {
		if d.err == nil {
			worked = append(worked, fmt.Sprintf("%s in %s", d.address, milliseconds(d.took)))
		} else {
			failed, last = append(failed, d.address+": "+reason(d.err)), d.err
		}
	}
	if len(worked) == 0 {
		v.add(stepConnect, Problem, listed(failed), v.mendConnect(last, port))
		return false
	}
	v.add(stepConnect, OK, listed(worked), "")
	if len(failed) > 0 {
		v.add(stepConnect, Warning, listed(failed), v.mendConnect(last, port)+"; or take the address out of DNS")
	}
	return true
}

func dial(ctx context.Context, address string) dialled {
	start := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	return dialled{address, time.Since(start), err}
}

const (
	askDirectly = "name the head in NO_PROXY to ask it directly"
	usualPort   = "8111"
)

func (v *visit) mendConnect(err error, port string) string {
	switch {
	case v.proxy != "":
		return "see that the proxy " + v.proxy + " runs and can be reached; " + askDirectly
	case errors.Is(err, syscall.ECONNREFUSED) && port != usualPort:
		return fmt.Sprintf("see that the head runs, and that %s is its port (%s is usual)", port, usualPort)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "see that the head runs, and that its address is right"
	case isTimeout(err):
		return "see that the machine is up and that no firewall drops the connection"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "see that this machine has a route to it"
	}
	return "see that the head runs and that its address is right"
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && e.Timeout()
}

// reason is an error without what the reader of a check knows already: operation, head and address.
func reason(err error) string {
	if e, ok := errors.AsType[*comet.HeadsError](err); ok && len(e.Heads) == 1 {
		err = e.Heads[0]
	}
	if e, ok := errors.AsType[*comet.Error](err); ok {
		switch {
		case e.Err != nil:
			return reason(e.Err)
		case e.Message != "":
			return fmt.Sprintf("HTTP %d: %s", e.Status, e.Message)
		case e.Status != 0:
			return fmt.Sprintf("HTTP %d", e.Status)
		}
	}
	if isTimeout(err) {
		return "no answer in time"
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error()
	}
	return err.Error()
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
