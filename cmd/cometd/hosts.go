package main

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// hostFlag names the head in certificates of its own making.
func hostFlag() urfave.Flag {
	return &urfave.StringSliceFlag{Name: "host", EnvVars: cli.Env("host"),
		Usage: "`NAME` or address of the head in certificates that are made, beside localhost and the loopback addresses; may be repeated"}
}

func certificateHosts(c *urfave.Context) ([]string, error) {
	hosts := c.StringSlice("host")
	for _, h := range hosts {
		if net.ParseIP(h) == nil && scope.ValidHostName(h) != nil {
			return nil, cli.Usage("give one such as comet.example.net", "--host %q is neither a host name nor an address", h)
		}
	}
	return hosts, nil
}

// makeCertificates makes a folder of certificates for a head with these names, or takes the one that is there if it is for all of hosts.
func makeCertificates(dir string, hosts, more []string) (tlsconfig.Development, error) {
	made, err := tlsconfig.WriteDevelopment(dir, append(slices.Clip(hosts), more...)...)
	if err != nil {
		return made, cli.Input(err)
	}
	if missing := lacking(made, hosts); len(missing) > 0 {
		return made, cli.Usage("leave --host away, or move the folder away to have all made anew, and give its new ca.pem to clients",
			"%s has certificates already, which do not name %s", dir, strings.Join(missing, ", "))
	}
	return made, nil
}

// lacking returns the hosts that the head's certificate is not for.
func lacking(made tlsconfig.Development, hosts []string) (missing []string) {
	for _, h := range hosts {
		name := h
		if ip := net.ParseIP(h); ip != nil {
			name = ip.String()
		}
		if !slices.ContainsFunc(made.Hosts, func(have string) bool { return strings.EqualFold(have, name) }) {
			missing = append(missing, h)
		}
	}
	return missing
}

// warnOfNames is about a head that others can reach, but maybe by no name that its certificate has.
func warnOfNames(log *slog.Logger, made tlsconfig.Development, hosts, addresses []string) {
	if len(hosts) > 0 {
		return
	}
	for _, a := range addresses {
		host, _, _ := net.SplitHostPort(a) // checked before
		if everywhere(host) && slices.ContainsFunc(made.Hosts, elsewhere) || !everywhere(host) && len(lacking(made, []string{host})) == 0 {
			continue
		}
		log.Warn("clients on other machines trust this head only under a name in its certificate: if none of these is right, move the folder "+
			"of certificates away, start the head with --host NAME, and give the new ca.pem to clients",
			"listen", a, "names", made.Hosts, "certificates", made.Dir)
		return
	}
}

// everywhere tells whether a listener at host takes connections from all networks.
func everywhere(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

// elsewhere tells whether others than this machine can know it by a name.
func elsewhere(name string) bool {
	if ip := net.ParseIP(name); ip != nil {
		return !ip.IsLoopback()
	}
	return name != "localhost" && !slices.Contains(hostNames([]string{":0"}), name)
}

// hostNames are the names under which clients may reach a head at these addresses: their own, and the machine's where it listens
// on all.
func hostNames(addresses []string) (names []string) {
	for _, a := range addresses {
		host, _, _ := net.SplitHostPort(a) // checked before
		if !everywhere(host) {
			names = append(names, host)
		} else if name, err := os.Hostname(); err == nil && scope.ValidHostName(name) == nil {
			names = append(names, name)
		}
	}
	return names
}
