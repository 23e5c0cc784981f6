package sshkey

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
)

// Folder is root's, below the machine's root.
const Folder = "root/.ssh"

// files are the keys of root that are published, the first one that is there.
var files = []string{"id_ed25519", "id_rsa", "id_ecdsa"}

// Kind is a kind of key pair that the guest makes.
type Kind string

const (
	Ed25519 Kind = "ed25519"
	RSA     Kind = "rsa" // of 3072 bits, for VMs beside others whose SSH is too old for ed25519
)

// Own returns root's public key as one line with its newline. Where there is none, or only its private half, line is empty and steps
// make it.
func Own(m *frame.Machine, kind Kind, comment string) (line string, steps []frame.Step, err error) {
	for _, name := range files {
		line, err = public(m, Folder+"/"+name)
		if !errors.Is(err, fs.ErrNotExist) {
			return line, nil, err
		}
		private, err := m.Read(Folder+"/"+name, false)
		if !errors.Is(err, fs.ErrNotExist) {
			return derive(m, Folder+"/"+name, private, comment, err)
		}
	}
	name := Folder + "/id_" + string(kind)
	return "", []frame.Step{{Text: "make an SSH key pair for root: /" + name, Do: func(ctx context.Context) error {
		return makePair(ctx, m, name, kind, comment)
	}}}, nil
}

func public(m *frame.Machine, name string) (string, error) {
	text, err := m.Read(name+".pub", false)
	if err != nil {
		return "", err
	}
	line, err := Canonical(string(text))
	if err != nil {
		return "", fmt.Errorf("/%s.pub: %w", name, err)
	}
	return line + "\n", nil
}

// derive makes the public key that is missing beside a private one.
func derive(m *frame.Machine, name string, private []byte, comment string, err error) (string, []frame.Step, error) {
	if err != nil {
		return "", nil, err
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil { // which may say too much of the key
		return "", nil, fmt.Errorf("/%s is there without its .pub, which cannot be made from it; make it with ssh-keygen -y", name)
	}
	steps, err := m.Put(frame.File{Name: name + ".pub", Content: []byte(Line(key.PublicKey(), comment) + "\n"), Mode: 0o644, NoLinks: true})
	return "", steps, err
}

// makePair makes a pair, the private key first: a public key without it would be published and be of no use. One that came meanwhile is
// not replaced.
func makePair(ctx context.Context, m *frame.Machine, name string, kind Kind, comment string) error {
	var private crypto.Signer
	var err error
	if kind == RSA {
		private, err = rsa.GenerateKey(rand.Reader, 3072)
	} else {
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		return fmt.Errorf("make an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, CleanComment(comment))
	if err != nil {
		return fmt.Errorf("make an SSH key: %w", err)
	}
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return fmt.Errorf("make an SSH key: %w", err)
	}
	if err := m.Save(madeState, name); err != nil { // before there is anything of it
		return err
	}
	for _, f := range []frame.File{
		{Name: name, Content: pem.EncodeToMemory(block), Mode: 0o600, Secret: true, NoLinks: true},
		{Name: name + ".pub", Content: []byte(Line(key, comment) + "\n"), Mode: 0o644, NoLinks: true},
	} {
		if err := m.WriteNew(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// hostKeyFiles are the public SSH host keys of a machine.
var hostKeyFiles = []string{"etc/ssh/ssh_host_ed25519_key.pub", "etc/ssh/ssh_host_ecdsa_key.pub", "etc/ssh/ssh_host_rsa_key.pub"}

// Host returns the machine's own SSH host keys, type and base64 each; none where it has no SSH server.
func Host(m *frame.Machine) (keys []string, err error) {
	for _, name := range hostKeyFiles {
		text, err := m.Read(name, false)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		line, err := Canonical(string(text))
		if err != nil {
			return nil, fmt.Errorf("/%s: %w", name, err)
		}
		keys = append(keys, WithoutComment(line))
	}
	return keys, nil
}
