package comet

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// defaultPort is the port of a COMET head.
const defaultPort = "8111"

// ParseHeads splits a list of heads as everybody is given it: base URLs separated by commas, with or without blanks and trailing
// slashes. It returns them without trailing slash, with their port (8111 where none is given), each once, in their order.
// Anything that is not the base URL of an http or https server is an error that names it; an empty list is one too.
func ParseHeads(list string) ([]string, error) {
	var heads []string
	seen := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		head, err := parseHead(item)
		if err != nil {
			return nil, err
		}
		if !seen[head] {
			seen[head] = true
			heads = append(heads, head)
		}
	}
	if len(heads) == 0 {
		return nil, errors.New("no head is given; name one or more, such as https://comet.example.net:8111/")
	}
	return heads, nil
}

func parseHead(item string) (string, error) {
	u, err := url.Parse(item)
	switch {
	case strings.ContainsAny(item, " \t"):
		return "", errors.New("heads are separated by commas, not by blanks")
	case strings.Contains(item, "@") && (err != nil || u.User == nil): // a password, perhaps
		return "", errors.New("a head is not a URL such as https://comet.example.net:8111/")
	case err != nil:
		return "", fmt.Errorf("head %q is not a URL such as https://comet.example.net:8111/", item)
	case u.User != nil:
		return "", fmt.Errorf("head %s has a user name in it; heads are asked with certificates and tokens", u.Host)
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("head %q does not start with https://", u.Redacted())
	case u.Hostname() == "":
		return "", fmt.Errorf("head %q has no host name", item)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("head %s://%s has more behind it than a slash", u.Scheme, u.Host)
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("head %s has no port from 1 to 65535", u.Host)
	}
	if strings.Contains(u.Hostname(), "%") {
		return "", fmt.Errorf("head %s has a zone, which names in certificates do not have", u.Host)
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port), nil
}

// hostPort is the address of a head from ParseHeads.
func hostPort(head string) string {
	_, address, _ := strings.Cut(head, "://")
	return address
}
