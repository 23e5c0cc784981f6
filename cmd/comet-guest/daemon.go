package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet/guest/service"
	"github.com/renci-nrig/comet-go/comet/guest/settings"
)

// oldCommands are those of the older tools' daemons, which people and images call by the daemons' names.
func oldCommands() []*urfave.Command {
	return []*urfave.Command{
		{Name: "neucad", Hidden: true, SkipFlagParsing: true, Usage: "start|stop|restart [-c], as neuca-guest-tools have it", Action: neucad},
		{Name: "hostkeyd", Hidden: true, SkipFlagParsing: true, Usage: "start|stop|restart, as Mobius' host-key-tools have it", Action: hostkeyd},
		{Name: "distro", Hidden: true, Usage: "print which distribution this is", Action: distro},
	}
}

// neucad starts and stops the guest: by systemd where that runs the machine, else as a process of its own. -c is for Chameleon, which the
// guest finds out by itself.
func neucad(c *urfave.Context) error {
	if slices.ContainsFunc(c.Args().Slice(), isHelp) {
		_, err := fmt.Fprintln(c.App.Writer, neucadUsage)
		return err
	}
	args := slices.DeleteFunc(c.Args().Slice(), func(a string) bool { return a == "-c" || a == "-f" })
	if len(args) != 1 {
		return cli.Usage(neucadUsage, "%d arguments", len(args))
	}
	if underSystemd() && slices.Contains([]string{"start", "stop", "restart"}, args[0]) {
		return systemctl(c.Context, args[0])
	}
	switch args[0] {
	case "start":
		running, err := local().Running()
		if err == nil && running {
			err = service.ErrRunning
		}
		if err != nil {
			return err
		}
		return start(nil, []string{"run"})
	case "stop":
		return told(local().Stop(c.Context))
	case "restart":
		if err := local().Stop(c.Context); err != nil {
			return told(err)
		}
		return start(nil, []string{"run"})
	}
	return cli.Usage(neucadUsage, "%q is none of them", args[0])
}

// hostkeyd takes part in a context that its flags name, beside others that the VM may be in. Its stop and restart are about such contexts
// alone: the guest that the machine itself has started goes on.
func hostkeyd(c *urfave.Context) error {
	if slices.ContainsFunc(c.Args().Slice(), isHelp) {
		_, err := fmt.Fprintln(c.App.Writer, hostkeydUsage)
		return err
	}
	verb, flags, err := hostkeydFlags(c.Args().Slice())
	if err != nil {
		return err
	}
	if verb != "start" {
		if err := local().Leave(c.Context, verb == "restart"); err != nil || verb == "stop" {
			return told(err)
		}
	}
	args := []string{"run", "--comethost", flags["-c"], "--slice", flags["-s"], "--group", cmp.Or(flags["-f"], "all")}
	if id := flags["-i"]; id != "" {
		args = append(args, "--key", id)
	}
	switch strings.ToLower(flags["-p"]) {
	case "true":
		args = append(args, "--address", "public")
	case "false":
		args = append(args, "--address", "private")
	}
	tokens := []string{"COMET_READ_TOKEN=" + flags["-r"], "COMET_WRITE_TOKEN=" + flags["-w"]} // where no process list shows them
	return start(tokens, args)
}

const neucadUsage = "neucad start|stop|restart [-c]"

func isHelp(arg string) bool { return slices.Contains([]string{"--help", "-h", "help"}, arg) }

const hostkeydUsage = "hostkeyd start|stop|restart -c COMETHOST -s SLICEID -r READTOKEN -w WRITETOKEN [-i ID] [-f GROUP] [-p True|False]"

// hostkeydFlags reads the flags of hostkeyd, by their short names; those for Kafka mean nothing here.
func hostkeydFlags(args []string) (verb string, flags map[string]string, err error) {
	long := map[string]string{"--comethost": "-c", "--sliceid": "-s", "--readToken": "-r", "--writeToken": "-w", "--id": "-i", "--family": "-f",
		"--kafkahost": "-k", "--topic": "-t", "--public": "-p"}
	flags = map[string]string{}
	if len(args) == 0 || !slices.Contains([]string{"start", "stop", "restart"}, args[0]) {
		return "", nil, cli.Usage(hostkeydUsage, "the first argument is none of start, stop, restart")
	}
	verb, args = args[0], args[1:]
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		if short, ok := long[name]; ok {
			name = short
		}
		if !slices.Contains([]string{"-c", "-s", "-r", "-w", "-i", "-f", "-k", "-t", "-p"}, name) || !joined && len(args) == 0 {
			return "", nil, cli.Usage(hostkeydUsage, "a flag is not known or has no value") // which may be a token
		}
		if !joined {
			value, args = args[0], args[1:]
		}
		flags[name] = value
	}
	for _, name := range []string{"-c", "-s", "-r", "-w"} {
		if verb != "stop" && flags[name] == "" {
			return "", nil, cli.Usage(hostkeydUsage, "%s is missing", name)
		}
	}
	return verb, flags, nil
}

func underSystemd() bool {
	info, err := os.Stat("/run/systemd/system")
	return err == nil && info.IsDir()
}

func systemctl(ctx context.Context, verb string) error {
	text, err := exec.CommandContext(ctx, "/usr/bin/systemctl", verb, "comet-guest.service").CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemctl %s comet-guest: %w: %s", verb, err, strings.TrimSpace(string(text)))
	}
	return nil
}

// logFile is what a guest writes that was started by the name of an older daemon, where systemd does not run the machine.
const logFile = "/var/log/comet-guest.log"

// start starts this program in a session of its own, and waits until it runs.
func start(env, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, args...)
	cmd.Args[0], cmd.Dir, cmd.Env = "comet-guest", "/", append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("the guest ended at once; %s says why: %w", filepath.Clean(logFile), err)
		}
		return nil
	case <-time.After(time.Second): // it has read its settings and has the machine by then, or waits for a network
		return nil
	}
}

// local is the guest of the machine that this runs on.
func local() *service.Service {
	return &service.Service{Settings: func() (settings.Settings, error) { return settings.Load("/", "") }}
}

// distro prints the distribution's name and version.
func distro(c *urfave.Context) error {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			_, err := fmt.Fprintln(c.App.Writer, strings.Trim(name, `"`))
			return err
		}
	}
	return missing(c, "Not found", "PRETTY_NAME in /etc/os-release")
}
