package cli

import (
	"encoding/pem"
	"fmt"
	"os"
	"slices"
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
	told.ServerName = s.ServerNames()
	return told, nil
}

// ServerNames are the names that heads may bear as user data holds them: each is NAME or HOST:PORT=NAME, separated by commas.
func (s Spec) ServerNames() string {
	var all []string
	for head, names := range s.Names.Accept {
		for _, name := range names {
			if head != "" {
				name = head + "=" + name
			}
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}
