package vms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// VM is one machine: a folder with its disk, and now and then a qemu that runs it. One goroutine at a time may use it, but for its
// Console.
type VM struct {
	Console *Console

	dir     string
	c       Config
	off     bool // it goes off by itself after the first script
	console *os.File
	running *process // nil while it is off
}

// New makes a VM in a folder, which must not be there. It is off.
func New(dir string, c Config) (*VM, error) {
	files, err := c.files()
	if err != nil {
		return nil, fmt.Errorf("VM %s: %w", c.Name, err)
	}
	vm, err := newVM(dir, c, "vm", files, "")
	if err != nil {
		return nil, fmt.Errorf("VM %s: %w", c.Name, err)
	}
	return vm, nil
}

func newVM(dir string, c Config, id string, files Files, first string) (*VM, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	vm := &VM{dir: dir, c: c}
	if err := makeDisk(vm.path("disk.qcow2"), c.Image); err != nil {
		return nil, err
	}
	if err := c.Image.writeInitrd(vm.path("initrd"), id, files, first); err != nil {
		return nil, err
	}
	relay, err := recipe.ReadFile("image/relay")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(vm.path("relay"), relay, 0o700); err != nil {
		return nil, err
	}
	if vm.console, err = os.Create(vm.path("console")); err != nil {
		return nil, err
	}
	vm.Console = newConsole(vm.console)
	return vm, nil
}

func (vm *VM) path(name string) string { return filepath.Join(vm.dir, name) }

// makeDisk makes a disk on which all that differs from the image is written.
func makeDisk(path string, over Image) error {
	c := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", "-b", over.disk, "-F", over.format, path)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("qemu-img: %w: %s", err, out)
	}
	return nil
}

// Start switches the VM on and waits until its system takes commands. Where that fails it is left as it is, to be looked at.
func (vm *VM) Start(ctx context.Context) (err error) {
	if vm.running != nil {
		return fmt.Errorf("VM %s is on", vm.c.Name)
	}
	if vm.running, err = vm.launch(); err != nil {
		return fmt.Errorf("VM %s: %w", vm.c.Name, err)
	}
	if _, err := vm.running.shell.wait(ctx, ""); err != nil {
		return vm.failed("start", err)
	}
	return nil
}

// failed names the VM, and what qemu said if it has ended.
func (vm *VM) failed(what string, err error) error {
	select {
	case <-vm.running.ended:
		err = errors.Join(err, vm.running.err)
	default:
	}
	return fmt.Errorf("VM %s: %s: %w", vm.c.Name, what, err)
}

// Run runs a bash script as root in the VM and returns what it wrote to both outputs. A script that fails is an *ExitError. One that is
// at work at the context's deadline, or for a minute, is killed.
func (vm *VM) Run(ctx context.Context, script string) (string, error) {
	if vm.running == nil {
		return "", fmt.Errorf("VM %s is off", vm.c.Name)
	}
	out, err := vm.running.shell.run(ctx, script)
	if err != nil {
		return out, vm.failed("run", err)
	}
	return out, nil
}

// Reboot shuts the system down and waits until it takes commands again.
func (vm *VM) Reboot(ctx context.Context) error {
	if vm.running == nil {
		return fmt.Errorf("VM %s is off", vm.c.Name)
	}
	sh := vm.running.shell
	before, err := sh.wait(ctx, "")
	if err == nil {
		_, err = sh.run(ctx, "systemctl --no-block reboot")
	}
	if err == nil || errors.Is(err, errAnew) { // it may be faster than its answer
		_, err = sh.wait(ctx, before)
	}
	if err != nil {
		return vm.failed("reboot", err)
	}
	return nil
}

// PowerOff shuts the system down and waits until the VM is off.
func (vm *VM) PowerOff(ctx context.Context) error {
	if vm.running == nil {
		return nil
	}
	_, err := vm.running.shell.run(ctx, "systemctl --no-block poweroff")
	if err == nil || errors.Is(err, errGone) { // it may be faster than its answer
		err = vm.running.end(ctx)
	}
	if err != nil {
		return vm.failed("power off", err)
	}
	vm.running = nil
	return nil
}

// Cut takes the power away.
func (vm *VM) Cut() error {
	if vm.running == nil {
		return nil
	}
	vm.running.Process.Kill() // fails where it has ended
	<-vm.running.ended
	vm.running = nil
	return nil
}

// Close takes the power away for good. The folder stays.
func (vm *VM) Close() error { return errors.Join(vm.Cut(), vm.console.Close()) }
