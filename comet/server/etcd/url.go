package etcd

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

const (
	scheme      = "etcd://"
	defaultPort = "2379"
)

// location is where a store is.
type location struct {
	members []string // host:port
	prefix  string   // /a/b, to be followed by / and a key of ours
}

func (l location) String() string { return scheme + strings.Join(l.members, ",") + l.prefix }

// CheckURL reports whether url names a store, as Open would, without asking etcd. No error quotes what could be a password.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

func parseURL(url string) (location, error) {
	l, err := splitURL(url)
	if err != nil {
		return location{}, fmt.Errorf("%w, which is etcd://HOST:PORT,…/PREFIX: %w", ErrURL, err)
	}
	return l, nil
}

func splitURL(url string) (l location, err error) {
	rest, ok := strings.CutPrefix(url, scheme)
	if !ok {
		return location{}, errors.New("this one does not begin with " + scheme)
	}
	if strings.Contains(rest, "@") {
		return location{}, errors.New("user and password do not belong in it")
	}
	hosts, path, _ := strings.Cut(rest, "/")
	for i, h := range strings.Split(hosts, ",") {
		member, ok := parseMember(h)
		if !ok {
			return location{}, fmt.Errorf("member %d is not a host or address and a port", i+1)
		}
		l.members = append(l.members, member)
	}
	l.prefix, err = parsePrefix(path)
	return l, err
}

func parseMember(s string) (string, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), defaultPort
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 || net.ParseIP(host) == nil && scope.ValidHostName(host) != nil {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// parsePrefix takes plain segments. Those that begin our own keys are refused, so that no store lies among the keys of another.
func parsePrefix(path string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", errors.New("it needs a prefix of the store's own, such as /comet")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || strings.ContainsFunc(segment, notPlain) {
			return "", errors.New("the prefix is not of letters, digits and - _ . between slashes")
		}
		if slices.Contains([]string{entriesKeys, removedKeys, changedKeys, leaseKeys, aliveKeys, expiredKeys}, segment+"/") {
			return "", fmt.Errorf("no part of the prefix can be %q", segment)
		}
	}
	return "/" + path, nil
}

func notPlain(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", r)
}
