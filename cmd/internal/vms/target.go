package vms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Target is an iSCSI target in a process of its own, on loopback. VMs reach it through Config.Forward: Portal there is Addr here.
type Target struct {
	dir    string // of its socket
	tgtd   *exec.Cmd
	log    bytes.Buffer // until it has ended
	ended  chan struct{}
	portal *portal
}

// TargetConfig is what a target offers.
type TargetConfig struct {
	IQN    string
	Portal netip.AddrPort // where VMs ask for it
	Disks  []string       // files, which are LUN 1 and so on
	User   string         // CHAP; with none everybody may log in
	Secret string         // for this target alone: while it starts, other users of this machine may see it in the list of processes
}

// StartTarget starts a target.
func StartTarget(ctx context.Context, c TargetConfig) (*Target, error) {
	for _, p := range []program{{"tgtd", "tgt"}, {"tgtadm", "tgt"}} {
		if !p.there() {
			return nil, fmt.Errorf("%w: %s; on Debian: apt install %s", ErrMissing, p.name, p.debian)
		}
	}
	dir, err := os.MkdirTemp("", "target-") // where the socket's name is short
	if err != nil {
		return nil, err
	}
	t := &Target{dir: dir, ended: make(chan struct{})}
	if err := t.start(ctx, c); err != nil {
		return nil, errors.Join(fmt.Errorf("iSCSI target %s: %w", c.IQN, err), t.Close())
	}
	return t, nil
}

func (t *Target) start(ctx context.Context, c TargetConfig) error {
	address, err := freePort()
	if err != nil {
		return err
	}
	t.tgtd = exec.Command("tgtd", "-f", "--iscsi", "portal="+address)
	t.tgtd.Env, t.tgtd.Stdout, t.tgtd.Stderr = t.env(), &t.log, &t.log
	started := make(chan error)
	go t.live(started)
	if err := <-started; err != nil {
		t.tgtd = nil
		return err
	}
	if err := t.answers(ctx); err != nil {
		return err
	}
	if err := t.set(ctx, c); err != nil {
		return err
	}
	t.portal, err = newPortal(address, c.Portal)
	return err
}

func (t *Target) env() []string {
	return append(os.Environ(), "TGT_IPC_SOCKET="+filepath.Join(t.dir, "tgtd"))
}

// live runs tgtd, from a thread that is kept: it dies with that.
func (t *Target) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	diesWithUs(t.tgtd)
	err := t.tgtd.Start()
	started <- err
	if err == nil {
		t.tgtd.Wait()
		close(t.ended)
	}
}

// freePort returns an address that was free just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

const askEvery = 50 * time.Millisecond

// answers waits until tgtd takes commands.
func (t *Target) answers(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if t.admin(ctx, "show", "sys") == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-t.ended:
			return fmt.Errorf("tgtd ended: %s", bytes.TrimSpace(t.log.Bytes()))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (t *Target) set(ctx context.Context, c TargetConfig) error {
	const tid = "1"
	err := t.admin(ctx, "new", "target", "--tid", tid, "--targetname", c.IQN)
	for i, disk := range c.Disks {
		err = errors.Join(err, t.admin(ctx, "new", "logicalunit", "--tid", tid, "--lun", strconv.Itoa(i+1), "--backing-store", disk))
	}
	if c.User != "" {
		err = errors.Join(err, t.admin(ctx, "new", "account", "--user", c.User, "--password", c.Secret),
			t.admin(ctx, "bind", "account", "--tid", tid, "--user", c.User))
	}
	return errors.Join(err, t.admin(ctx, "bind", "target", "--tid", tid, "--initiator-address", "ALL"))
}

func (t *Target) admin(ctx context.Context, op, mode string, more ...string) error {
	c := exec.CommandContext(ctx, "tgtadm", append([]string{"--lld", "iscsi", "--op", op, "--mode", mode}, more...)...)
	c.Env = t.env()
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("tgtadm %s %s: %w: %s", op, mode, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Addr is where the target takes connections: a HOST:PORT for Config.Forward.
func (t *Target) Addr() string { return t.portal.Addr().String() }

// Close ends the target. Its disks stay.
func (t *Target) Close() error {
	var err error
	if t.portal != nil {
		err = t.portal.Close()
	}
	if t.tgtd != nil {
		t.tgtd.Process.Kill() // fails where it has ended
		<-t.ended
	}
	return errors.Join(err, os.RemoveAll(t.dir))
}
