package storage_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/internal/storage"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

func TestOptionsOfMkfs(t *testing.T) {
	for _, tt := range []struct{ fsType, text, refused string }{
		{"ext4", "", ""},
		{"ext4", "-F -b 2048", ""},
		{"ext4", " -qF\t-b2048 -m 0  -L data ", ""},
		{"ext4", "-O ^has_journal,large_file -E lazy_itable_init=0", ""},
		{"xfs", "-f -b size=4096 -l size=10m -m crc=1", ""},
		{"btrfs", "-f -d single", ""},
		{"ext4", "-b", "missing"},
		{"ext4", "2048", "no option"},
		{"ext4", "-F -- /dev/sda", "not given to mkfs.ext4"},
		{"ext4", "--help", "not given"},
		{"ext4", "-q 100", "no option"},
		{"ext4", "-U random", "not given"},
		{"ext4", "-n", "not given"},
		{"ext4", "-d /etc", "not given"},
		{"ext4", "-z undo", "not given"},
		{"ext4", "-J device=LABEL", "elsewhere: device"},
		{"ext4", "-E offset=1048576", "elsewhere: offset"},
		{"ext4", "-E stride=2,offset=1", "elsewhere: offset"},
		{"ext4", "-L /dev/sda", "not plain"},
		{"ext4", "-L $(reboot)", "not plain"},
		{"ext4", "-L -U", "not plain"},
		{"ext4", "-L " + strings.Repeat("x", 2000), "longer"},
		{"xfs", "-d name=sdb", "elsewhere: name"},
		{"xfs", "-d file", "elsewhere: file"},
		{"xfs", "-l logdev=sdb", "elsewhere: logdev"},
		{"xfs", "-m uuid=1", "elsewhere: uuid"},
		{"xfs", "-N", "not given"},
		{"xfs", "-c options=x", "not given"},
		{"btrfs", "-f sdb", "no option"},
		{"btrfs", "--rootdir x", "not given"},
		{"vfat", "", "none of those"},
		{"swap", "", "none of those"},
	} {
		words, err := storage.MkfsOptions(tt.fsType, tt.text)
		if tt.refused == "" {
			require.NoError(t, err, tt.text)
			assert.Equal(t, strings.Fields(tt.text), words)
		} else {
			assert.ErrorContains(t, err, tt.refused, "%s %s", tt.fsType, tt.text)
		}
	}
}

// FuzzOptionsOfMkfs: what is let through names no file, whatever else it is; what is not is refused in one line without a word of it.
func FuzzOptionsOfMkfs(f *testing.F) {
	for _, seed := range []string{"-F -b 2048", "-J device=x", "-d/etc", "-- /dev/sda", "-qF -Lx", "-L ~/", "~ -~ -E ~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, fsType := range []string{"ext4", "xfs", "btrfs"} {
			words, err := storage.MkfsOptions(fsType, plant.In(text))
			if err != nil {
				plant.RequirePlain(t, err)
				continue
			}
			for i, word := range words {
				assert.NotContains(t, word, "/")
				assert.NotEqual(t, "--", word)
				if !strings.HasPrefix(word, "-") {
					require.Positive(t, i, "it is the value of an option")
					assert.True(t, strings.HasPrefix(words[i-1], "-"))
				}
			}
		}
	})
}

// Lines of open-iscsi's records are set, and no others are touched.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("# BEGIN RECORD 2.1.8\nnode.name = x\nnode.session.auth.password = old\n# END RECORD\n"), "new")
	f.Fuzz(func(t *testing.T, record []byte, value string) {
		if strings.ContainsAny(value, "\n\r") || value == "" {
			return
		}
		settings := [][2]string{{"node.startup", "automatic"}, {"node.session.auth.password", value}}
		once := storage.SetRecord(record, settings)
		assert.Equal(t, string(once), string(storage.SetRecord(once, settings)))
		assert.Equal(t, 1, strings.Count("\n"+string(once), "\nnode.session.auth.password = "))
		assert.Contains(t, string(once), "\nnode.session.auth.password = "+value+"\n# END RECORD\n")
	})
}

func TestLinksAndOffers(t *testing.T) {
	for name, is := range map[string]bool{
		"ip-10.0.0.1:3260-iscsi-iqn.2026-01.org.example:a-lun-b-lun-1":  true,
		"ip-2001:db8::1:3260-iscsi-iqn.2026-01.org.example:a-lun-1":     true,
		"ip-[2001:db8::1]:3260-iscsi-iqn.2026-01.org.example:a-lun-1":   true,
		"ip-10.0.0.1-iscsi-iqn.2026-01.org.example:a-lun-1":             false,
		"pci-0000:00:1f.2-ata-1":                                        false,
		"pci-0000:00:1f.2-ip-10.0.0.1:3260-iscsi-iqn.2026-01.x:a-lun-1": false,
		"ip-10.0.0.1:99999-iscsi-iqn.2026-01.org.example:a-lun-1":       false,
		"ip-10.0.0.1:3260-iscsi-iqn.2026-01.org.example:a":              false,
		"ip-[2001:db8::1]:3260-fc-iqn.2026-01.org.example:a-lun-1":      false,
		"ip-example.org:3260-iscsi-iqn.2026-01.org.example:a-lun-1":     false,
	} {
		assert.Equal(t, is, storage.ParseLink(name), name)
	}
	for text, is := range map[string]bool{
		"10.0.0.1:3260,1 iqn.2026-01.org.example:a":              true,
		"[2001:db8::1]:3260,1 iqn.2026-01.org.example:a (flash)": true,
		"10.0.0.1:3260,1 iqn.2026-01.org.example:../../x":        false,
		"10.0.0.1:3260,1 -x":                                     false,
		"10.0.0.1:3260,../1 iqn.2026-01.org.example:a":           false,
		"10.0.0.1:3260 iqn.2026-01.org.example:a":                false,
		"[fe80::1%x]:3260,1 iqn.2026-01.org.example:a":           false,
		"": false,
	} {
		assert.Equal(t, is, storage.ParseOffer(text), text)
	}
}
