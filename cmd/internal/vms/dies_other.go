//go:build !linux

package vms

import "os/exec"

func diesWithUs(*exec.Cmd) {}
