package vms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// With returns the image with files put down and a script run in it, by /bin/sh -e in the first process before any system starts: that
// is enough to install packages. It is made by a VM, once, and kept.
func (i Image) With(ctx context.Context, files Files, script string) (Image, error) {
	key, err := hash(func(w io.Writer) error { return json.NewEncoder(w).Encode([]any{i.key, files, script}) })
	if err != nil {
		return Image{}, err
	}
	dir, err := kept(ctx, filepath.Join(i.base, "with"), key, func(dir string) error { return i.buildWith(ctx, dir, key, files, script) })
	if err != nil {
		return Image{}, fmt.Errorf("build an image: %w", err)
	}
	i.key, i.disk, i.format = key, filepath.Join(dir, "vm", "disk.qcow2"), "qcow2"
	return i, nil
}

func (i Image) buildWith(ctx context.Context, dir, key string, files Files, script string) error {
	vm, err := newVM(filepath.Join(dir, "vm"), Config{Name: "image", Image: i}, key, files, script)
	if err != nil {
		return err
	}
	defer vm.Close()
	vm.off = true
	if vm.running, err = vm.launch(); err != nil {
		return err
	}
	if err := vm.running.end(ctx); err != nil {
		return err
	}
	if err := vm.Console.Wait(closed, "vms: done"); err != nil {
		return fmt.Errorf("the script failed: %s", vm.Console.Tail(consoleShown))
	}
	return errors.Join(os.Remove(vm.path("initrd")), os.Remove(vm.path("relay")))
}

const consoleShown = 20

// closed is for looking without waiting.
var closed = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
