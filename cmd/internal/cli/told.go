package cli

import (
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Told returns what VMs are told of the heads: where they are, and how to trust them. A CA goes along as PEM, whatever form it has here.
func (s Spec) Told() (told orca.UserData, err error) {
	switch {
	case s.Heads == "":
		return told, Usage("give --comethost, COMETHOST or --config", "no heads are named")
	case s.Files.CA == "":
		return told, Usage("give --cacert, COMETCACERT or --config", "no CA is named, by which VMs would trust heads")
	}
	heads, err := comet.ParseHeads(s.Heads)
	if err != nil {
		return told, Input(err)
	}
	for _, h := range heads {
		if !strings.HasPrefix(h, "https://") {
			return told, Usage("use https://", "VMs do not ask head %s without TLS", h)
		}
	}
	text, err := os.ReadFile(s.Files.CA)
	if err != nil {
		return told, Input(fmt.Errorf("CA: %w", err))
	}
	roots, err := tlsconfig.ParseCA(text, s.Files.CAPassword)
	if err != nil {
		return told, Input(fmt.Errorf("CA %s: %w", s.Files.CA, err))
	}
	told.CometHost = s.Heads
	for _, root := range roots {
		told.CACert = append(told.CACert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})...)
	}
	told.ServerName, err = s.toldName()
	return told, err
}

// toldName is the one name that a VM can be told: it takes no patterns, and none for single heads.
func (s Spec) toldName() (string, error) {
	names := s.Names.Accept[""]
	switch {
	case len(s.Names.Accept) == 0:
		return "", nil
	case len(s.Names.Accept) > 1 || len(names) != 1 || strings.Contains(names[0], "*"):
		return "", Usage("give one --server-name without * or HOST:PORT", "a VM can be told one name for all heads")
	}
	return names[0], nil
}
