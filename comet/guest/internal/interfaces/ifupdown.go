package interfaces

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/renci-nrig/comet-go/comet/guest/internal/frame"
	"github.com/renci-nrig/comet-go/comet/guest/internal/network"
	"github.com/renci-nrig/comet-go/scope"
)

// ifupdown notes which interfaces ifupdown configures too: it has no way to be told, people are. See interfaces(5).
func (m *Module) ifupdown(l *looking) error {
	const folder = "etc/network/interfaces.d"
	files := []string{"etc/network/interfaces"}
	entries, err := fs.ReadDir(m.machine.Root().FS(), folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		files = append(files, path.Join(folder, e.Name()))
	}
	for _, file := range files {
		text, err := m.machine.Read(file, false)
		if err != nil {
			continue // it is no file, or there is none
		}
		named := namedBy(string(text))
		for _, link := range l.now.Links {
			mac := scope.CanonicalMAC(link.Attrs().HardwareAddr.String())
			if slices.Contains(l.told, mac) && slices.ContainsFunc(named, func(pattern string) bool { return fits(pattern, link) }) {
				l.note(frame.Warning, mac, "is %s, which /%s configures too: take it out there", network.Name(link), frame.OneLine(file))
			}
		}
	}
	return nil
}

// namedBy returns what a file says of interfaces: names, and patterns such as /eth* or /mac/fa:16:3e:*.
func namedBy(text string) (all []string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case words[0] == "iface":
			all = append(all, words[1])
		case words[0] == "auto", strings.HasPrefix(words[0], "allow-"):
			for _, word := range words[1:] {
				name, _, _ := strings.Cut(word, "=") // behind which is what it is called further on
				all = append(all, name)
			}
		}
	}
	return all
}

func fits(pattern string, link netlink.Link) bool {
	text := link.Attrs().Name
	if mac, ok := strings.CutPrefix(pattern, "/mac/"); ok {
		pattern, text = strings.ToLower(mac), link.Attrs().HardwareAddr.String()
	} else {
		pattern = strings.TrimPrefix(pattern, "/")
	}
	ok, _ := path.Match(pattern, text)
	return ok
}
