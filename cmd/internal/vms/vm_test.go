package vms_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/cmd/internal/vms"
)

func TestFirst(t *testing.T) {
	cache, err := vms.DefaultCache()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	t0 := time.Now()
	lap := func(what string) { fmt.Println(time.Since(t0).Round(10*time.Millisecond), what) }
	image, err := vms.OpenImage(ctx, cache, func(step string, done, total int) { lap(fmt.Sprint(done, "/", total, " ", step)) })
	require.NoError(t, err)
	lap("image")
	vm, err := vms.New(filepath.Join(t.TempDir(), "vm"), vms.Config{Name: "first", Image: image})
	require.NoError(t, err)
	defer vm.Close()
	defer func() { t.Log(vm.Console.Tail(50)) }()
	lap("made")
	require.NoError(t, vm.Start(ctx))
	lap("started")
	for _, c := range []string{"uptime", "id; ip a; ip r; hostname", "systemctl is-system-running --wait; systemctl --failed; systemd-analyze; systemd-analyze blame | head -30; systemd-analyze critical-chain; free -m; lsmod", "exit 3"} {
		out, err := vm.Run(ctx, c)
		lap(fmt.Sprint(c, "\n", out, err))
	}
	require.NoError(t, vm.Reboot(ctx))
	lap("rebooted")
	require.NoError(t, vm.PowerOff(ctx))
	lap("off")
}
