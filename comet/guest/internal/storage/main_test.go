package storage_test

import (
	"os"
	"testing"

	"github.com/renci-nrig/comet-go/testdata/netns"
)

// programs of the system that the module runs, beside those in /usr/bin; the folder is another one in tests.
var programs = map[string][]byte{"losetup": nil, "blkid": nil, "wipefs": nil, "mkfs.ext4": nil, "mkfs.ext2": nil, "mkswap": nil, "swapon": nil, "swapoff": nil}

func TestMain(m *testing.M) {
	for name := range programs {
		for _, folder := range []string{"/usr/sbin/", "/sbin/"} {
			if content, err := os.ReadFile(folder + name); err == nil {
				programs[name] = content
				break
			}
		}
	}
	netns.MainAsRoot(m)
}
