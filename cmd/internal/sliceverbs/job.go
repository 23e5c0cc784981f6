package sliceverbs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	urfave "github.com/urfave/cli/v2"

	"github.com/renci-nrig/comet-go/cmd/internal/cli"
	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
)

// job is a slice whose place-holders are being put down.
type job struct {
	*controller.Controller
	c       *urfave.Context
	ctx     context.Context
	conn    *cli.Connection
	slice   orca.Slice
	install orca.Install  // how VMs get the guest
	told    orca.UserData // of the heads; zero where no metadata is asked for
	end     func()        // takes the progress away
}

func newJob(c *urfave.Context, slice orca.Slice, install orca.Install) (job, error) {
	ctx, conn, err := cli.Connect(c)
	if err != nil {
		return job{}, err
	}
	install.URL, install.SHA256 = cli.Given(c, "guest-url"), cli.Given(c, "guest-sha256")
	j := job{c: c, ctx: ctx, conn: conn, slice: slice, install: install}
	j.Controller, j.end = open(c, conn, "place-holders")
	return j, nil
}

// Close ends the connection.
func (j job) Close() { j.conn.Close() }

// metadata tells whether files for OpenStack are asked for.
func (j job) metadata() string { return cli.Given(j.c, "metadata-dir") }

// prepare finds out what would keep the files from being written.
func (j *job) prepare() (err error) {
	if j.metadata() == "" && (j.install.URL != "" || j.install.SHA256 != "") {
		return cli.Usage("give --metadata-dir too", "--guest-url and --guest-sha256 are for the files of --metadata-dir")
	}
	if j.install.URL != "" && j.install.SHA256 == "" {
		return cli.Usage("give --guest-sha256 too", "nothing says what is to be found at --guest-url")
	}
	if j.metadata() != "" {
		if j.told, err = j.conn.Spec.Told(); err != nil {
			return err
		}
	}
	return cli.Input(j.checkTargets())
}

// warnOfLoopback says that VMs which are told of the heads will not find one that only this machine finds.
func (j job) warnOfLoopback() {
	if j.metadata() == "" {
		return
	}
	for head := range strings.SplitSeq(j.told.CometHost, ",") {
		at, err := url.Parse(strings.TrimSpace(head))
		if err != nil {
			continue
		}
		address, _ := netip.ParseAddr(at.Hostname())
		if address.IsLoopback() || at.Hostname() == "localhost" {
			fmt.Fprintf(j.c.App.ErrWriter, "%s: warning: VMs are told of %s, which for each of them is the VM itself\n", j.c.App.Name, head)
		}
	}
}

// file is one file that somebody needs who sets up a VM. It has tokens in it.
type file struct {
	what, path string
	text       []byte
}

const whatProperties = "properties"

// files returns the files of one VM.
func (j job) files(tokens controller.Tokens, vm orca.VM) (all []file, err error) {
	access := j.Access(j.slice, tokens, vm)
	if dir := cli.Given(j.c, "properties-dir"); dir != "" {
		path, list := filepath.Join(dir, vm.HostName), access.Properties()
		all = append(all,
			file{whatProperties, path + ".properties", orca.FormatProperties(list...)},
			file{whatProperties, path + ".json", orca.FormatJSON(list...)})
	}
	if j.metadata() == "" || vm.IsLUN() {
		return all, nil
	}
	u := j.told
	u.SliceID, u.ReservationID, u.HostName, u.Slice = j.slice.ID, vm.ReservationID, vm.HostName, access
	members, err := u.Metadata()
	if err != nil {
		return nil, fmt.Errorf("metadata of %s: %w", vm.HostName, err)
	}
	install := j.install
	if vm.PublicIP != "" {
		if install.Address, err = netip.ParseAddr(vm.PublicIP); err != nil {
			return nil, fmt.Errorf("publicIp of %s: %w", vm.HostName, err)
		}
	}
	cloud, err := install.CloudInit(u)
	if err != nil {
		return nil, fmt.Errorf("user data of %s: %w", vm.HostName, err)
	}
	ini, err := u.INI()
	if err != nil {
		return nil, fmt.Errorf("user data of %s: %w", vm.HostName, err)
	}
	path := filepath.Join(j.metadata(), vm.HostName)
	return append(all,
		file{"metadata", path + ".metadata.json", orca.FormatMetadata(members...)},
		file{"metadata", path + ".heat.yaml", orca.FormatHeat(members...)},
		file{"user data", path + ".cloud-init.yaml", cloud},
		file{"user data", path + ".user-data.ini", ini}), nil
}

// write writes the files of all VMs and returns what to say about it. The place-holders stand by then: after an error a repeat writes
// the rest.
func (j job) write(tokens controller.Tokens) (wrote []string, err error) {
	for _, flag := range []string{"properties-dir", "metadata-dir"} {
		if dir := cli.Given(j.c, flag); dir != "" {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, fmt.Errorf("--%s: %w", flag, err)
			}
		}
	}
	var mu sync.Mutex
	in := map[string]int{}
	p := cli.NewProgress(j.c, "files of VMs")
	defer p.End()
	err = comet.Each(j.c.Context, withContext(j.slice), comet.Bulk{Progress: p.Step}, func(_ context.Context, vm orca.VM) error {
		files, err := j.files(tokens, vm)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := orca.SavePrivate(f.what, f.path, f.text); err != nil {
				return err
			}
			mu.Lock()
			in[filepath.Dir(f.path)]++
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, errors.New("the place-holders stand; repeat it to write the files that are missing"))
	}
	for _, dir := range slices.Sorted(maps.Keys(in)) {
		wrote = append(wrote, fmt.Sprintf("wrote %d files into %s", in[dir], dir))
	}
	return wrote, nil
}

// withContext returns the VMs that have a part in the slice.
func withContext(s orca.Slice) []orca.VM {
	return slices.DeleteFunc(slices.Clone(s.VMs), func(vm orca.VM) bool { return !vm.NeedsContext() })
}
