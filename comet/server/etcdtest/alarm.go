package etcdtest

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// TakeSpace lets the cluster, which has to be well and speak http, refuse changes as though its database had reached its quota.
func (c *Cluster) TakeSpace() { c.alarm("ACTIVATE") }

// GiveSpace ends what TakeSpace began.
func (c *Cluster) GiveSpace() { c.alarm("DEACTIVATE") }

// alarm raises or ends the alarm of a database that has reached its quota, which etcdctl can only end.
func (c *Cluster) alarm(action string) {
	t := c.Members[0].t
	t.Helper()
	client := &http.Client{Timeout: patience / 10, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		said := "nothing"
		r, err := client.Post("http://"+c.Members[0].Addr+"/v3/maintenance/alarm", "application/json", strings.NewReader(`{"action":"`+action+`","alarm":"NOSPACE"}`))
		if err == nil {
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
			said = r.Status + " " + string(body)
		}
		require.True(t, time.Now().Before(deadline), "the cluster takes no alarm: %v, it says %s", err, said)
	}
}
