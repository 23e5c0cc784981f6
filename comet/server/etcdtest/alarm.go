package etcdtest

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// TakeSpace lets the cluster, which has to be well and speak http, refuse changes as though its database had reached its quota;
// GiveSpace ends that.
func (c *Cluster) TakeSpace() { c.alarm(etcdserverpb.AlarmRequest_ACTIVATE) }

// GiveSpace lets changes be made again.
func (c *Cluster) GiveSpace() { c.alarm(etcdserverpb.AlarmRequest_DEACTIVATE) }

// alarm is what etcdctl has only half of.
func (c *Cluster) alarm(action etcdserverpb.AlarmRequest_AlarmAction) {
	t := c.Members[0].t
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + c.Members[0].Addr}, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer client.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), patience/10)
		_, err := etcdserverpb.NewMaintenanceClient(client.ActiveConnection()).Alarm(ctx, &etcdserverpb.AlarmRequest{Action: action, Alarm: etcdserverpb.AlarmType_NOSPACE})
		cancel()
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "the cluster takes no alarm: %v", err)
	}
}
