package storage

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// The functions that read orders and what tools print do no I/O.

// FuzzOrders: whatever an entry asks for, what reaches commands, records and /etc/fstab is one word or line that is what it says, and what
// is left out is noted in one line without the CHAP secret.
func FuzzOrders(f *testing.F) {
	disk := func(e scope.Storage) string {
		e.Type = "iscsi"
		return string(scope.Encode(e))
	}
	f.Add(disk(scope.Storage{Device: "dev0", TargetIP: "10.0.0.1", TargetPort: "3260", TargetLUN: "1", FSType: "ext4", FSOptions: "-F -b 2048", ShouldFormat: "yes", MountPoint: "/srv/with a blank"}))
	f.Add(disk(scope.Storage{Device: "-o", TargetIP: "10.0.0.1", TargetPort: "3260", TargetLUN: "1", FSType: "--help"}))
	f.Add(disk(scope.Storage{Device: "dev0", TargetIP: "fe80::1%\n", TargetPort: "+3260", TargetLUN: "-1", ChapUser: "user\nnode.startup = automatic"}))
	f.Add(disk(scope.Storage{Device: "dev0", TargetIP: "2001:DB8::1", TargetPort: "3260", TargetLUN: "16383", ChapUser: "user", MountPoint: "/srv/a\tnone\tswap\n/dev/sda"}))
	f.Add(disk(scope.Storage{Device: "dev0", TargetIP: "10.0.0.1", TargetPort: "3260", TargetLUN: "256", ChapUser: "user", FSType: "xfs", MountPoint: "/srv/../etc/\\040#"}))
	f.Fuzz(func(t *testing.T, value string) {
		elements, err := scope.Decode[scope.Storage]([]byte(value))
		if err != nil {
			return
		}
		for i := range elements {
			if elements[i].ChapUser != "" {
				elements[i].ChapSecret = scope.Hide(plant.Secret + elements[i].ChapSecret.Reveal())
			}
		}
		list, _, notes := ordersOf(elements)
		for _, n := range notes {
			plant.RequireLine(t, n.About)
			plant.RequirePlain(t, fmt.Errorf("%s", n.Why))
		}
		for _, o := range list {
			requireOrder(t, o)
		}
	})
}

func requireOrder(t *testing.T, o order) {
	t.Helper()
	require.Regexp(t, `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`, o.name)
	require.True(t, o.portal.IsValid() && o.portal.Addr().Zone() == "" && o.lun >= 0 && o.lun < 1<<14)
	require.Regexp(t, `^([a-z][a-z0-9]{1,15})?$`, o.fsType)
	for _, word := range append([]string{o.user, o.secret.Reveal()}, o.options...) {
		require.False(t, strings.ContainsFunc(word, unicode.IsControl), "%q", word)
	}
	record := set([]byte("# BEGIN RECORD\n# END RECORD\n"), [][2]string{{"node.session.auth.username", o.user}, {"node.session.auth.password", o.secret.Reveal()}})
	require.LessOrEqual(t, strings.Count(string(record), "\n"), 4, "%s", record)
	if o.mount == "" {
		return
	}
	require.True(t, path.IsAbs(o.mount) && path.Clean(o.mount) == o.mount && o.mount != "/")
	text := line("0b6e8a9e-2f5c-4a6e-9d7e-3f1d7f0a6b10", o.mount, "ext4")
	plant.RequireLine(t, strings.ReplaceAll(text, "\t", " "))
	require.Len(t, strings.Fields(text), 6)
	_, at := parseLine(text)
	require.Equal(t, o.mount, at)
}

// FuzzTools: whatever iscsiadm, blkid, udev, the kernel and /etc/fstab say, what is taken of it names no other file and is one line. A name
// of an initiator is put into its file once.
func FuzzTools(f *testing.F) {
	for _, text := range []string{
		"tcp: [1] 10.0.0.1:3260,1 iqn.2026-01.org.example:disk (non-flash)\n", "[2001:db8::1]:3260,1 iqn.2026-01.org.example:a\n", "10.0.0.1:3260,1 iqn.2026-01.org.example:../../x\n",
		"[fe80::1%../]:3260,1 eui.02004567A425678D", "DEVNAME=/dev/sda\nUUID=a\x1b[2J\nTYPE=ext4\nUSAGE=filesystem\n", "PTTYPE=d\ros\n", "TYPE=ext4\nUSAGE=filesystem\nUUID=0b6e8a9e-2f5c\n",
		"ip-10.0.0.1:3260-iscsi-iqn.2026-01.org.example:a-lun-1", "ip-[2001:db8::1]:3260-iscsi-x-lun--lun-0x0100000000000000", "36 35 98:0 /mnt1 /mnt\\0402 rw - ext3 /dev/root rw\n",
		"UUID=0b6e8a9e\t/srv/a\\040b\text4\t_netdev,nofail\t0\t0\n", "InitiatorName=iqn.x\n# ours\n InitiatorName = y\nInitiatorAlias=z",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		offers := []offer{}
		if o, ok := parseOffer(text); ok {
			offers = append(offers, o)
		}
		for _, s := range parseSessions(text) {
			require.Regexp(t, `^[0-9]+$`, s.id)
			offers = append(offers, s.offer)
		}
		for _, o := range offers {
			require.Regexp(t, `^(iqn|eui|naa)\.[A-Za-z0-9.:_-]+$`, o.target)
			require.Regexp(t, `^[0-9]+$`, o.tag)
			require.Empty(t, o.portal.Addr().Zone())
		}
		c := parseContent(text)
		plant.RequireLine(t, c.text)
		require.False(t, c.fileSystem && !fsTypes.MatchString(c.fsType))
		if l, ok := parseLink(text); ok {
			require.True(t, l.portal.Addr().IsValid())
			require.Contains(t, text, "-iscsi-"+l.target+"-lun-"+l.lun)
		}
		require.LessOrEqual(t, len(parseMounts(text)), strings.Count(text, "\n")+1)
		_, at := parseLine(text)
		require.Equal(t, at, unescape.Replace(escape.Replace(at)))

		content, right := initiatorName(text, "iqn.2026-01.org.example:own")
		require.Equal(t, right, content == text)
		again, right := initiatorName(content, "iqn.2026-01.org.example:own")
		require.True(t, right, "%q", content)
		require.Equal(t, content, again)
	})
}
