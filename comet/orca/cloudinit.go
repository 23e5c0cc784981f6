package orca

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// Install says how a VM gets the guest. The zero value is for images that have it already, as /usr/bin/comet-guest.
type Install struct {
	URL     string     // https://…: a .deb, an .rpm, or the program itself
	SHA256  string     // of what is there, in hex; needed with URL
	Address netip.Addr // what the guest publishes as the VM's address; zero: what it finds out itself
}

// Where cloud-init puts what the guest needs.
const (
	guestProgram  = "/usr/bin/comet-guest"
	guestCA       = "/etc/comet/ca.pem"
	guestUserData = "/etc/comet/user-data.ini"
	guestService  = "/etc/systemd/system/comet-guest.service"
)

// maxUserData is how much user data OpenStack takes, in base64.
const maxUserData = 65535

// CloudInit writes user data for cloud-init that gives a VM its user data u and the CA of the heads, installs the guest and starts it.
// It has tokens in it. What a VM could not use is an error: no CA, a package that is not fetched safely, more than OpenStack takes.
func (i Install) CloudInit(u UserData) ([]byte, error) {
	fetch, err := i.script()
	if err != nil {
		return nil, err
	}
	if len(u.CACert) == 0 {
		return nil, &LineError{Field: "cometcacert", Reason: "is missing; without a CA the guest trusts no head"}
	}
	ca := u.CACert
	if !bytes.Contains(ca, []byte("-----BEGIN")) {
		ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca})
	}
	u.CACert = nil // it has a file of its own
	ini, err := u.INI()
	if err != nil {
		return nil, err
	}
	document, err := asYAML(map[string]any{
		"write_files": []cloudFile{
			{guestCA, "0644", string(ca)},
			{guestUserData, "0600", string(ini)},
			{guestService, "0644", i.service()},
		},
		"runcmd": []string{fetch, "systemctl daemon-reload", "systemctl enable --now comet-guest.service"},
	})
	if err != nil {
		return nil, fmt.Errorf("write cloud-init user data: %w", err)
	}
	text := append([]byte("#cloud-config\n"), document...)
	if n := base64.StdEncoding.EncodedLen(len(text)); n > maxUserData {
		return nil, fmt.Errorf("the user data has %d bytes in base64; OpenStack takes %d: name a smaller CA", n, maxUserData)
	}
	return text, nil
}

type cloudFile struct {
	Path        string `json:"path"`
	Permissions string `json:"permissions"`
	Content     string `json:"content"`
}

// service is the unit that runs the guest. It stands before one of a package, which reads the user data from elsewhere.
func (i Install) service() string {
	start := guestProgram + " run --user-data " + guestUserData
	if i.Address.IsValid() {
		start += " --address " + i.Address.String()
	}
	return "[Unit]\nDescription=COMET guest\nWants=network-online.target\nAfter=network-online.target\n\n" +
		"[Service]\nType=exec\nExecStart=" + start + "\nUMask=0077\nRestart=on-failure\nRestartSec=10s\n\n" +
		"[Install]\nWantedBy=multi-user.target\n"
}

// script is what the shell does to have the guest on the VM. What is fetched is checked before it is touched.
func (i Install) script() (string, error) {
	if i.URL == "" && i.SHA256 == "" {
		return "test -x " + guestProgram + " || echo 'comet-guest is not on this image' >&2", nil
	}
	at, err := i.location()
	if err != nil {
		return "", err
	}
	to := "/run/comet-guest.fetched"
	switch kind := path.Ext(at.Path); kind {
	case ".deb":
		to += kind
		return i.fetch(to) + "dpkg -i " + to, nil
	case ".rpm":
		to += kind
		return i.fetch(to) + "rpm -U --replacepkgs " + to, nil
	}
	return i.fetch(to) + "install -m 0755 -T " + to + " " + guestProgram, nil
}

// fetch is the shell's part before the && of what is done with the file.
func (i Install) fetch(to string) string {
	return "curl -fsSL --retry 5 -o " + to + " '" + i.URL + "' && echo '" + strings.ToLower(i.SHA256) + "  " + to + "' | sha256sum -c - && "
}

// location returns the URL, which fits between the shell's single quotes.
func (i Install) location() (*url.URL, error) {
	at, err := url.Parse(i.URL)
	switch sum, hexErr := hex.DecodeString(i.SHA256); {
	case err != nil || at.Scheme != "https" || at.Host == "" || at.User != nil:
		return nil, errors.New("the guest's URL is none of the kind https://HOST/PATH")
	case strings.ContainsAny(i.URL, "'\\") || strings.ContainsFunc(i.URL, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the guest's URL has a character that does not belong into one")
	case hexErr != nil || len(sum) != 32:
		return nil, errors.New("the guest's SHA-256 is not 64 hex digits")
	}
	return at, nil
}
