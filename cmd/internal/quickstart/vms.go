package quickstart

import (
	"context"
	"fmt"
	"os"
	"strings"

	guestunit "github.com/renci-nrig/comet-go/cmd/comet-guest/package"
	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/cmd/internal/vms"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/scope"
)

// VMs has the story told with real VMs.
type VMs struct {
	Cache    string                             // where images are kept
	Guest    string                             // the program comet-guest, for Linux on amd64
	Progress func(what string, done, total int) // of what takes long; never nil

	image vms.Image
	link  vms.Link
}

// realSteps is the story with real VMs.
func (s *Story) realSteps() []step {
	return []step{
		{"make an image with the guest", s.makeImage},
		{"start the heads", s.startHeads},
		{"connect as the controller does", s.connect},
		{"create the slice", s.createSlice},
		{"generate the VMs' families", s.generate},
		{"boot the VMs", s.boot},
		{"wait until every VM knows the others", s.waitForVMs},
		{"look at the VMs", s.showVMs},
		{"log in from one VM to another", s.login},
		{"stop a head", s.stopHead},
		{"have a script run through the other head", s.addScript},
		{"withdraw the slice", s.withdraw},
		{"see that nothing is left", s.seeNothing},
	}
}

// makeImage opens the image of Debian with the guest in it.
func (s *Story) makeImage(ctx context.Context) error {
	debian, err := vms.OpenImage(ctx, s.VMs.Cache, func(_ string, done, total int) { s.VMs.Progress("image of Debian", done, total) })
	if err != nil {
		return err
	}
	program, err := os.ReadFile(s.VMs.Guest)
	if err != nil {
		return err
	}
	s.VMs.image, err = debian.With(ctx, vms.Files{
		"usr/bin/comet-guest":                    {Mode: 0o755, Content: string(program)},
		"etc/systemd/system/comet-guest.service": {Content: guestunit.Service},
	}, "systemctl enable comet-guest.service\n")
	if err != nil {
		return err
	}
	s.tell("image of Debian with comet-guest among its services")
	return nil
}

// waitForVMs waits until every VM has its address, users and scripts, and the addresses and keys of all the others.
func (s *Story) waitForVMs(ctx context.Context) error {
	for i, v := range s.vms {
		s.VMs.Progress("VMs that know the others", i, len(s.vms))
		for _, other := range s.vms {
			if other == v {
				continue
			}
			if err := v.until(ctx, knows(other)); err != nil {
				return fmt.Errorf("waiting for what is known of %s: %w", other.HostName, err)
			}
		}
		if err := v.until(ctx, "[ -e /tmp/motd ] && id bob >/dev/null 2>&1"); err != nil {
			return err
		}
	}
	s.VMs.Progress("VMs that know the others", len(s.vms), len(s.vms))
	s.tell("every VM has the addresses and keys of the %d others, its interface, users and scripts", len(s.vms)-1)
	return nil
}

// knows is a condition that holds in a VM that can log in to another one by name.
func knows(other *vm) string {
	return fmt.Sprintf("grep -qsx '%s[[:space:]]%s' /etc/hosts && grep -qs ' root@%[2]s$' /root/.ssh/authorized_keys && grep -qs '%[2]s' /etc/ssh/ssh_known_hosts",
		other.PublicIP, other.HostName)
}

// showVMs shows what each VM has become.
func (s *Story) showVMs(ctx context.Context) error {
	t := cli.Table{Header: []string{"VM", "INTERFACE", "/etc/hosts", "USERS", "BOOT SCRIPT"}}
	for _, v := range s.vms {
		row := []string{v.HostName}
		for _, look := range []string{
			"ip -4 -br address show to 172.16.1.0/24 | awk '{print $3}'",
			"awk '/^172[.]16[.]1[.]/ {printf \"%s%s\", sep, $2; sep=\" \"}' /etc/hosts",
			"awk -F: '$3 >= 1000 && $3 < 60000 {print $1}' /etc/passwd",
			"head -n 1 /tmp/motd",
		} {
			out, err := v.run(ctx, look)
			if err != nil {
				return err
			}
			row = append(row, strings.TrimSpace(out))
		}
		t.Rows = append(t.Rows, row)
	}
	s.Show(t)
	return nil
}

// login logs in with nothing but what the guests have written: no password and no question is possible.
func (s *Story) login(ctx context.Context) error {
	from, to := s.vms[0], s.vms[1]
	const ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null "
	out, err := from.run(ctx, ssh+to.HostName+" hostname")
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(out); got != to.HostName {
		return fmt.Errorf("%s answered as %q", to.HostName, got)
	}
	s.tell("%s# ssh %s hostname: no password, no question; it says %s", from.HostName, to.HostName, to.HostName)
	return nil
}

// addScript has the aggregate manager put a script down for a VM that runs.
func (s *Story) addScript(ctx context.Context) error {
	v := s.vms[0]
	script := scope.Script{Name: "later", Body: scope.Hide("#!/bin/sh\nuname -sr >/root/later\n")}
	if _, err := am.Add(ctx, s.conn.Client, v.unit, script, 0); err != nil {
		return err
	}
	if err := v.until(ctx, "[ -s /root/later ]"); err != nil {
		return err
	}
	out, err := v.run(ctx, "cat /root/later")
	if err != nil {
		return err
	}
	s.tell("a script that was put down through the other head has run on %s: %s", v.HostName, strings.TrimSpace(out))
	return nil
}
