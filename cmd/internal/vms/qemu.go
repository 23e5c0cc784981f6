package vms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// process is a qemu that runs.
type process struct {
	*exec.Cmd
	shell *shell
	ended chan struct{} // closed when it has ended, with
	err   error
}

// commandLine is the kernel's. All but the console saves time.
const commandLine = "console=ttyS0 quiet mitigations=off audit=0 apparmor=0 nokaslr no_timer_check"

// arguments are qemu's for the VM, the files that it inherits left out. Software emulation is named: where /dev/kvm is there and does not
// work, qemu would hang.
func (vm *VM) arguments() []string {
	memory := vm.c.Memory
	if memory == 0 {
		memory = defaultMemory
	}
	line := commandLine
	if vm.off {
		line += " vms.off"
	}
	return []string{
		"-name", escape(vm.c.Name), "-machine", "q35,accel=tcg", "-cpu", "qemu64,-svm", "-m", fmt.Sprint(memory), "-smp", "1",
		"-nodefaults", "-no-user-config", "-display", "none",
		"-kernel", filepath.Join(vm.c.Image.base, "vmlinuz"), "-initrd", vm.path("initrd"), "-append", line,
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-drive", "if=none,id=disk,format=qcow2,file=" + escape(vm.path("disk.qcow2")), "-device", "virtio-blk-pci,drive=disk",
		"-netdev", vm.management(), "-device", fmt.Sprintf("virtio-net-pci,netdev=management,mac=%s,romfile=", ManagementMAC),
	}
}

// management is the network that ends in qemu: nothing leaves it but what is forwarded, each connection by a process.
func (vm *VM) management() string {
	text := "user,id=management,ipv6=off,restrict=on,net=" + managed + ",host=" + gateway.String()
	for _, from := range slices.SortedFunc(maps.Keys(vm.c.Forward), func(a, b netip.AddrPort) int { return a.Compare(b) }) {
		host, port, _ := strings.Cut(vm.c.Forward[from], ":")
		text += fmt.Sprintf(",guestfwd=tcp:%s-cmd:%s", from, escape(fmt.Sprintf("bash %s %s %s", quote(vm.path("relay")), host, port)))
	}
	return text
}

// escape makes text part of an argument in which commas divide.
func escape(text string) string { return strings.ReplaceAll(text, ",", ",,") }

// launch starts qemu.
func (vm *VM) launch() (p *process, err error) {
	p = &process{Cmd: exec.Command("qemu-system-x86_64", vm.arguments()...), ended: make(chan struct{})}
	defer func() { // which qemu has its own of, or never will
		for _, f := range p.ExtraFiles {
			f.Close()
		}
	}()
	port, theirs, err := socketPair("shell")
	if err != nil {
		return nil, fmt.Errorf("port of the VM: %w", err)
	}
	p.Args = append(p.Args, "-device", "virtio-serial-pci", "-chardev", fmt.Sprintf("socket,id=shell,fd=%d", p.inherit(theirs)),
		"-device", "virtserialport,chardev=shell,name=vms.shell")
	for i, cable := range vm.c.Cables {
		theirs, err := cable.Link.plug()
		if err != nil {
			return nil, errors.Join(err, port.Close())
		}
		p.Args = append(p.Args, "-netdev", fmt.Sprintf("socket,id=cable%d,fd=%d", i, p.inherit(theirs)),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=cable%d,mac=%s,romfile=", i, cable.MAC))
	}
	var complaints bytes.Buffer
	p.Stdout, p.Stderr = vm.Console, io.MultiWriter(vm.Console, &complaints)
	started := make(chan error)
	go p.live(started, &complaints)
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start qemu: %w", err), port.Close())
	}
	p.shell = newShell(port)
	return p, nil
}

// inherit gives the process a file and returns its number there.
func (p *process) inherit(f *os.File) int {
	p.ExtraFiles = append(p.ExtraFiles, f)
	return 2 + len(p.ExtraFiles)
}

// live runs the process. It dies with us: with the thread that starts it, says Linux, so that one is kept.
func (p *process) live(started chan<- error, complaints *bytes.Buffer) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	diesWithUs(p.Cmd)
	err := p.Start()
	started <- err
	if err != nil {
		return
	}
	if err := p.Wait(); err != nil {
		p.err = fmt.Errorf("qemu: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	close(p.ended)
}

// end waits until the process has ended.
func (p *process) end(ctx context.Context) error {
	select {
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
