package vms

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
)

// Link is an Ethernet segment: each frame that one VM sends on it goes to all others. Safe for concurrent use; the zero value is a
// segment with nobody on it.
type Link struct {
	mu    sync.Mutex
	ports map[*port]bool
	cut   bool
}

// port is where a VM is plugged in. Frames that it does not take in time are lost: a VM that is yet to boot takes none.
type port struct {
	*os.File
	queue chan []byte
}

const (
	maxFrame  = 4096 + 65536 // what qemu sends at most
	maxQueued = 256
)

// Cut makes the link lose all frames from now on, and with false carry them again.
func (l *Link) Cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
}

// plug makes a port; the end it returns is for qemu, which speaks frames with their length before them (-netdev socket).
func (l *Link) plug() (*os.File, error) {
	ours, theirs, err := socketPair("link")
	if err != nil {
		return nil, fmt.Errorf("plug into a link: %w", err)
	}
	p := &port{ours, make(chan []byte, maxQueued)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ports == nil {
		l.ports = map[*port]bool{}
	}
	l.ports[p] = true
	go p.deliver()
	go l.carry(p)
	return theirs, nil
}

// socketPair returns two ends of a connection: ours, and one to be inherited by a process.
func socketPair(name string) (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock() // so that no other process inherits them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
		err = syscall.SetNonblock(pair[0], true)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(pair[0]), name), os.NewFile(uintptr(pair[1]), name), nil
}

// carry takes frames from a port until its VM is gone.
func (l *Link) carry(from *port) {
	defer l.unplug(from)
	r := bufio.NewReader(from)
	for {
		frame := make([]byte, 4)
		if _, err := io.ReadFull(r, frame); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(frame)
		if n > maxFrame {
			return
		}
		frame = slices.Grow(frame, int(n))[:4+n]
		if _, err := io.ReadFull(r, frame[4:]); err != nil {
			return
		}
		l.send(from, frame)
	}
}

func (l *Link) send(from *port, frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return
	}
	for p := range l.ports {
		if p == from {
			continue
		}
		select {
		case p.queue <- frame:
		default:
		}
	}
}

func (l *Link) unplug(p *port) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ports, p)
	close(p.queue)
	p.Close()
}

func (p *port) deliver() {
	for frame := range p.queue {
		p.Write(frame) // fails where the VM is gone, which carry finds out
	}
}
