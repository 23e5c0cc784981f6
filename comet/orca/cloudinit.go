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

// Install says how a VM gets the guest. The zero value is for images that have its package already.
type Install struct {
	URL     string     // https://…: a .deb, an .rpm, or the program itself
	SHA256  string     // of what is there, in hex; needed with URL
	Unit    string     // of systemd, that starts the guest where no package has brought one
	Address netip.Addr // what the guest publishes as the VM's address; zero: what it finds out itself
	Off     []string   // modules of the guest that are off where its own settings say nothing else
}

// Where cloud-init puts the guest's files, and what its commands name.
const (
	GuestUserData = "/etc/comet/user-data.ini"   // with the slice's tokens
	GuestSettings = "/etc/comet/cloud-init.conf" // count where the guest's own settings say nothing

	guestProgram = "/usr/bin/comet-guest"
	guestCA      = "/etc/comet/ca.pem"
	guestFetched = "/run/comet-guest.fetched"
	guestService = "comet-guest.service"
	guestUnit    = "/run/" + guestService // until it is known whether there is one already
)

// maxUserData is how much user data OpenStack takes, in base64.
const maxUserData = 65535

// CloudInit writes user data for cloud-init that gives a VM its user data u and the CA of the heads, installs the guest and starts it
// anew: one that the image has may have begun already, with nobody to say who the VM is. It has tokens in it. What a VM could not use is an
// error: no CA, a package that is not fetched safely, more than OpenStack takes.
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
	files := []cloudFile{{guestCA, "0644", string(ca)}, {GuestUserData, "0600", string(ini)}, {GuestSettings, "0644", i.settings()}}
	run := []string{fetch}
	if i.Unit != "" && !i.isPackage() {
		files = append(files, cloudFile{guestUnit, "0644", i.Unit})
		run = append(run, "systemctl cat "+guestService+" >/dev/null 2>&1 || install -m 0644 "+guestUnit+" /etc/systemd/system/"+guestService)
	}
	document, err := asYAML(map[string]any{
		"write_files": files,
		"runcmd":      append(run, "systemctl daemon-reload", "systemctl enable "+guestService, "systemctl restart "+guestService),
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

// settings are those by which the guest goes by the user data that is put beside them.
func (i Install) settings() string {
	var b strings.Builder
	b.WriteString("# Brought by cloud-init. What /etc/comet/guest.conf says counts before it.\n[guest]\nsource = " + GuestUserData + "\n")
	if i.Address.IsValid() {
		b.WriteString("address = " + i.Address.String() + "\n")
	}
	if len(i.Off) > 0 {
		b.WriteString("\n[modules]\n")
	}
	for _, module := range i.Off {
		b.WriteString(module + " = off\n")
	}
	return b.String()
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
	switch kind := path.Ext(at.Path); kind {
	case deb:
		return i.fetch(guestFetched+kind) + "dpkg -i " + guestFetched + kind, nil
	case rpm:
		return i.fetch(guestFetched+kind) + "rpm -U --replacepkgs " + guestFetched + kind, nil
	}
	return i.fetch(guestFetched) + "install -m 0755 -T " + guestFetched + " " + guestProgram, nil
}

const (
	deb = ".deb"
	rpm = ".rpm"
)

// isPackage tells whether what is fetched brings the unit along.
func (i Install) isPackage() bool {
	at, err := url.Parse(i.URL)
	return err == nil && (path.Ext(at.Path) == deb || path.Ext(at.Path) == rpm)
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
