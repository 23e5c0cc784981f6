package controller_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// states is what Show says, in short.
func states(all []controller.VMStatus) map[string]string {
	got := map[string]string{}
	for _, vm := range all {
		for _, e := range vm.Entries {
			got[vm.HostName] += e.Family.String() + " " + e.State.String() + ", "
		}
	}
	return got
}

func TestShowTellsWhoHasReported(t *testing.T) {
	heads := comettest.Start(t, 1)
	s := parse(t, `{"sliceId":"s","vms":[{"hostName":"a","reservationId":"r1"},{"hostName":"b","reservationId":"r2"},
		{"hostName":"c","reservationId":"r3"},{"hostName":"disk","reservationId":"r4","type":"x.lun"},{"hostName":"lan","reservationId":"r5","type":"x.vlan"}]}`)
	tokens, file := open(t, s)
	c := controller.New(heads.Client(), both)
	before := time.Now().Add(-time.Minute)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	report(t, heads, s, tokens, s.VMs[0])
	write := func(family, key, value string) {
		name := scope.Name{Context: s.ID, Family: scope.MustFamily(family), Key: scope.MustName("s", "f", key).Key}
		pair := tokens.Of(name.Key)
		if pair.Write.IsZero() {
			pair.Write = scope.NewToken()
		}
		_, err := heads.Client().Write(t.Context(), name, pair, []byte(value))
		require.NoError(t, err)
	}
	write("hostsall", "r2", `{"val_":"[{\"hostName\":\"b\",\"ip\":\"not an address\"}]"}`)
	write("pubkeysall", "r2", `""`)
	write("scripts", "r2", `{"val_":"[]"}`)
	write("hostsother", "r9", `{"val_":"[{\"hostName\":\"guest/0\",\"ip\":\"10.9.9.9\"}]"}`)
	require.NoError(t, deleted(c.Withdraw(t.Context(), file, s.VMs[2].ReservationID)))

	all, err := c.Show(t.Context(), s, tokens)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"a":       "pubkeysall reported, hostsall reported, ",
		"b":       "pubkeysall waiting, hostsall odd, ",
		"c":       "pubkeysall missing, hostsall missing, ",
		"disk":    "pubkeysall waiting, hostsall waiting, ",
		"guest-0": "hostsother reported, ",
	}, states(all))
	assert.True(t, all[0].Reported())
	assert.Equal(t, "10.0.0.1", all[0].Address.String())
	assert.WithinRange(t, all[0].Since(), before, time.Now().Add(time.Minute))
	for _, vm := range all[1:4] {
		assert.False(t, vm.Reported(), vm.HostName)
		assert.Zero(t, vm.Since(), vm.HostName)
	}
	assert.True(t, all[3].Listed)
	assert.False(t, all[4].Listed)
}

func TestShowOfHeadsThatTellNoTimes(t *testing.T) {
	heads, s := comettest.Start(t, 1, server.WithoutExtensions()), demo(t)
	tokens, file := open(t, s)
	c := controller.New(heads.Client(), both)
	require.NoError(t, created(c.Create(t.Context(), file, s)))
	report(t, heads, s, tokens, s.VMs[1])
	all, err := c.Show(t.Context(), s, tokens)
	require.NoError(t, err)
	assert.True(t, all[1].Reported())
	assert.Zero(t, all[1].Since())
}

func TestShowFailsWhereNothingWasSeen(t *testing.T) {
	heads, s := comettest.Start(t, 1), demo(t)
	tokens, _ := open(t, s)
	c := controller.New(heads.Client(quick()...), both)
	all, err := c.Show(t.Context(), s, tokens)
	require.NoError(t, err)
	assert.Len(t, all, 3, "nothing is there")
	heads.Stop(0)
	_, err = c.Show(t.Context(), s, tokens)
	require.ErrorIs(t, err, comet.ErrUnavailable)
}
