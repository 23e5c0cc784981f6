package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBase is where clouds have their metadata service.
const DefaultBase = "http://169.254.169.254"

// connecting is the time for a connection: the service is on the same machine or the next one, or it is not there.
const connecting = 2 * time.Second

// Metadata is a cloud's metadata service: user data and addresses as EC2 has them, and OpenStack's own metadata. It is never asked
// through a proxy.
type Metadata struct {
	Base    string        // http://HOST[:PORT]; DefaultBase where it is empty
	Timeout time.Duration // of each question; 5 s where it is zero
}

// Name tells its address.
func (m Metadata) Name() string {
	if checkBase(m.base()) != nil {
		return "metadata" // somebody may have put a password there
	}
	return "metadata at " + m.base()
}

func (m Metadata) base() string { return strings.TrimSuffix(cmp.Or(m.Base, DefaultBase), "/") }

// Look asks for user data, OpenStack's metadata, and the VM's addresses.
func (m Metadata) Look(ctx context.Context) (Identity, error) {
	if err := checkBase(m.base()); err != nil {
		return Identity{}, err
	}
	a := asking{base: m.base() + "/", timeout: cmp.Or(m.Timeout, 5*time.Second)}
	return tree{
		where:    a.base,
		userData: []string{"latest/user-data", "openstack/latest/user_data"},
		get:      a.get,
		facts:    a.facts,
	}.look(ctx)
}

func checkBase(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("it is no address such as " + DefaultBase)
	}
	return nil
}

// client asks any metadata service.
var client = &http.Client{
	Transport: &http.Transport{ // without Proxy: none is asked
		DialContext:            (&net.Dialer{Timeout: connecting}).DialContext,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // what is compressed is expanded within bounds
		DisableKeepAlives:      true, // net/http logs what comes unasked on a kept connection, and that may be user data
	},
	CheckRedirect: stayThere,
}

var errRedirect = errors.New("it answers with a way elsewhere, which is not followed")

// stayThere follows a redirect within the service, such as one that adds a slash.
func stayThere(next *http.Request, before []*http.Request) error {
	if first := before[0].URL; next.URL.Host != first.Host || next.URL.Scheme != first.Scheme || len(before) > 3 {
		return errRedirect
	}
	return nil
}

// asking asks a service during one look.
type asking struct {
	base    string
	timeout time.Duration
}

// get returns a document. ErrAbsent: there is none, or nothing in it.
func (a asking) get(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("no answer within %s", a.timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+name, nil)
	if err != nil {
		return nil, errors.New("it is no address such as " + DefaultBase)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, failure(ctx, err)
	}
	defer answer.Body.Close()
	if err := checkStatus(answer.StatusCode); err != nil {
		return nil, err
	}
	data, err := readAll(answer.Body)
	switch {
	case errors.Is(err, errTooLong):
		return nil, err
	case err != nil:
		return nil, failure(ctx, err)
	case len(data) == 0:
		return nil, absent("it is empty")
	}
	return data, nil
}

func checkStatus(code int) error {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusGone, http.StatusNoContent:
		return absent(text)
	case http.StatusUnauthorized:
		return fmt.Errorf("it answers %s: allow the instance's metadata without session tokens (IMDSv1)", text)
	}
	return fmt.Errorf("it answers %s", text)
}

// failure says why there is no answer: the same way each time, and without what a stranger sent in place of one.
func failure(ctx context.Context, err error) error {
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isOp: // which has the ports of this one connection
		return op.Err
	case errors.Is(err, errRedirect):
		return errRedirect
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection ended before the answer did")
	}
	return errors.New("it answers with something that is no HTTP")
}

// facts asks for what EC2 knows.
func (a asking) facts(ctx context.Context) (facts, error) {
	f, err := parseFacts(func(name string) (string, error) {
		data, err := a.get(ctx, "latest/meta-data/"+name)
		return strings.TrimSpace(string(data)), err
	})
	if err != nil {
		return facts{}, fmt.Errorf("latest/meta-data/%w", err)
	}
	return f, nil
}
