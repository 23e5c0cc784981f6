package settings

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/renci-nrig/comet-go/comet/guest"
)

// Example returns a settings file that says nothing but explains everything: each setting, commented out, with its default.
func Example() []byte {
	b := bytes.NewBufferString("# Settings of comet-guest. Everything here is optional; what is commented out is the default.\n" +
		"# After a change: systemctl reload comet-guest\n")
	section := ""
	for _, k := range known.keys {
		if k.section != section {
			section = k.section
			fmt.Fprintf(b, "\n[%s]\n", section)
			if section == "modules" {
				b.WriteString(modulesText())
			}
		}
		if k.section == "modules" {
			fmt.Fprintf(b, "#%s = %s\n", k.name, guest.DefaultModes(false)[k.name])
			continue
		}
		fmt.Fprintf(b, "# %s\n#%s =%s\n", k.text, k.name, strings.TrimRight(" "+k.preset, " "))
	}
	return b.Bytes()
}

func modulesText() string {
	return "# Each is on, off, or observe: it then says what it would do, and does nothing. What a module has made before it was switched off\n" +
		"# stays, but for the rule of metadata-guard, and the files of interfaces that keep networkd and NetworkManager from them: NetworkManager\n" +
		"# may then take the addresses away. README.md beside the package's copyright says how to take back the rest.\n" +
		"# Where OpenStack's metadata says who the VM is, as on Chameleon, or flags do (--slice), these are off by default:\n# " + strings.Join(guest.ORCAOnly(), ", ") + "\n"
}
