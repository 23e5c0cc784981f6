package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/server"
)

func TestVerdictsDoNotOutliveAMinuteOrTheCertificate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	verdict, judged := true, 0
	trust := func(*tls.ConnectionState) bool {
		judged++
		return verdict
	}
	connection := func(valid time.Duration) *tls.ConnectionState {
		return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{NotAfter: now.Add(valid)}}}
	}

	var long server.Peer
	c := connection(time.Hour)
	require.True(t, long.Judge(c, trust, now))
	verdict = false // the CA was taken away
	require.True(t, long.Judge(c, trust, now.Add(time.Minute)))
	require.Equal(t, 1, judged)
	require.False(t, long.Judge(c, trust, now.Add(time.Minute+time.Second)))
	verdict = true // and came back
	require.False(t, long.Judge(c, trust, now.Add(2*time.Minute)))
	require.True(t, long.Judge(c, trust, now.Add(3*time.Minute)))

	var short server.Peer
	c = connection(10 * time.Second)
	require.True(t, short.Judge(c, trust, now))
	verdict = false
	require.True(t, short.Judge(c, trust, now.Add(9*time.Second)))
	require.False(t, short.Judge(c, trust, now.Add(11*time.Second)))
}
