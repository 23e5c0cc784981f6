package vms

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
)

// portal passes connections of VMs on to an iSCSI target. To whoever asks which targets there are, a target tells its own address: on
// loopback, of no use to a VM. What comes from the target tells the portal's address instead.
type portal struct {
	net.Listener
	target string // HOST:PORT
	tells  []byte // TargetAddress=… as the target says it
	should []byte
}

func newPortal(target string, address netip.AddrPort) (*portal, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &portal{l, target, []byte("TargetAddress=" + target + ","), []byte("TargetAddress=" + address.String() + ",")}
	go p.serve()
	return p, nil
}

func (p *portal) serve() {
	for {
		vm, err := p.Accept()
		if err != nil {
			return
		}
		go p.pass(vm)
	}
}

// pass serves one connection until one of its ends closes.
func (p *portal) pass(vm net.Conn) {
	defer vm.Close()
	target, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer target.Close()
	go func() {
		io.Copy(target, vm)
		target.Close()
	}()
	for r := bufio.NewReader(target); p.passPDU(vm, r) == nil; {
	}
}

// Of an iSCSI PDU (RFC 7143, section 11): 48 octets of header, of which the first says what it is, the fifth how many words of further
// header follow, and the next three how long the data is, which is filled up to words. No digests: a target has none if not asked.
const (
	headerLength = 48
	textResponse = 0x24
	maxData      = 1 << 24
)

var errNotISCSI = errors.New("not iSCSI")

// passPDU passes on one PDU of the target.
func (p *portal) passPDU(w io.Writer, r io.Reader) error {
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	more := 4 * int64(header[4])
	length := int64(binary.BigEndian.Uint32(header[4:]) % maxData)
	if header[0]&0x3f != textResponse {
		if _, err := w.Write(header); err != nil {
			return err
		}
		_, err := io.CopyN(w, r, more+padded(length))
		return err
	}
	if more > 0 {
		return errNotISCSI // a text response has none
	}
	data := make([]byte, padded(length))
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	data = bytes.ReplaceAll(data[:length], p.tells, p.should)
	binary.BigEndian.PutUint32(header[4:], uint32(len(data)))
	data = append(data, make([]byte, padded(int64(len(data)))-int64(len(data)))...)
	_, err := w.Write(append(header, data...))
	return err
}

func padded(length int64) int64 { return (length + 3) &^ 3 }
