package etcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// How connections behave. A member that just falls silent, as frozen ones do, is found by pings, for which 10 s is the shortest time
// that gRPC and etcd allow.
const (
	pingAfter    = 10 * time.Second
	pingTime     = 3 * time.Second
	connectTime  = 3 * time.Second
	reconnectMin = 100 * time.Millisecond
	reconnectMax = 2 * time.Second // gRPC's own is two minutes
)

func dial(ctx context.Context, at location, set settings, reach *reach) (*clientv3.Client, error) {
	config := clientv3.Config{
		DialTimeout:          set.timeout, // of the login
		DialKeepAliveTime:    pingAfter,
		DialKeepAliveTimeout: pingTime,
		Username:             set.user,
		Password:             set.password.Reveal(),
		Logger:               zap.NewNop(), // what matters comes back as an error
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(reach.dial),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: reconnectMin, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnectMax},
				MinConnectTimeout: connectTime,
			}),
		},
	}
	for _, m := range at.members {
		config.Endpoints = append(config.Endpoints, "http://"+m) // TLS is the dialler's
	}
	if err := done(ctx); err != nil {
		return nil, err
	}
	client, err := clientv3.New(config)
	switch {
	case err == nil:
		return client, nil
	case transient(err):
		return nil, fmt.Errorf("%w: no answer in %s: %s", ErrUnavailable, set.timeout, reach.why(err))
	}
	return nil, fmt.Errorf("etcd refuses the user: %s", text(err))
}

// reach makes connections to members, and remembers why the last one to each could not be made, which gRPC does not tell.
type reach struct {
	tlsFor func(hostport string) *tls.Config // nil: without TLS; it may answer otherwise each time

	mu     sync.Mutex
	failed map[string]error // by member
}

func (r *reach) dial(ctx context.Context, member string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", member)
	if err == nil && r.tlsFor != nil {
		conn, err = r.secure(ctx, conn, member)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = map[string]error{}
	}
	if r.failed[member] = err; err == nil {
		delete(r.failed, member)
	}
	return conn, err
}

func (r *reach) secure(ctx context.Context, conn net.Conn, member string) (net.Conn, error) {
	config := r.tlsFor(member).Clone()
	config.NextProtos = []string{"h2"}
	if host, _, err := net.SplitHostPort(member); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("tls with %s: %w", member, err)
	}
	return secure, nil
}

// why is what kept members from being reached, or else what the last answer was.
func (r *reach) why(last error) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, member := range slices.Sorted(maps.Keys(r.failed)) {
		all = append(all, r.failed[member].Error())
	}
	if len(all) == 0 {
		return text(last)
	}
	return strings.Join(all, "; ")
}
