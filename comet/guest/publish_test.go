package guest_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
)

func TestAVMPublishesItsAddressAndKey(t *testing.T) {
	s := newSlice(t)
	s.placeHolders("own", "own", "a", "b")
	m := s.boot(s.userData("own", "own", "a", "b"), "")
	m.pass()
	key := m.file(own + ".pub")
	assert.Regexp(t, `^ssh-ed25519 \S+ root@own\n$`, key)
	for _, group := range []string{"a", "b"} {
		assert.Equal(t, `{"val_":"[{\"hostName\":\"own\",\"ip\":\"10.0.0.1\"}]"}`, s.value("hosts"+group, "own"))
		assert.Equal(t, `{"val_":"[{\"publicKey\":\"`+strings.TrimSpace(key)+`\\n\"}]"}`, s.value("pubkeys"+group, "own"))
	}
	writes := s.heads.Calls(0, "writeScope")
	m.pass()
	assert.Equal(t, writes, s.heads.Calls(0, "writeScope"), "what is right is not written again")
}

func TestPublishingChangesOnlyTheOwnElement(t *testing.T) {
	for name, tt := range map[string]struct{ before, after string }{
		"members of others": {
			`{"since":"2024", "val_":"[{\"hostName\":\"own\",\"ip\":\"\",\"rack\":[7]}]"}`,
			`{"since":"2024", "val_":"[{\"hostName\":\"own\",\"ip\":\"10.0.0.1\",\"rack\":[7]}]"}`,
		},
		"an address of before": {
			`{"val_":"[{\"hostName\":\"own\",\"ip\":\"192.0.2.1\"}]"}`,
			`{"val_":"[{\"hostName\":\"own\",\"ip\":\"10.0.0.1\"}]"}`,
		},
		"the only element, whatever its name": {
			`{"val_":"[{\"hostName\":\"NodeGroup0/1\",\"ip\":\"\"}]"}`,
			`{"val_":"[{\"hostName\":\"NodeGroup0-1\",\"ip\":\"10.0.0.1\"}]"}`,
		},
		"among several": {
			`{"val_":"[{\"hostName\":\"a\",\"ip\":\"\"}, 5, {\"hostName\":\"own\",\"ip\":\"\"},{\"hostName\":\"own2\",\"ip\":\"\"}]"}`,
			`{"val_":"[{\"hostName\":\"a\",\"ip\":\"\"}, 5, {\"hostName\":\"own\",\"ip\":\"10.0.0.1\"},{\"hostName\":\"own2\",\"ip\":\"\"}]"}`,
		},
		"reset":          {`""`, `{"val_":"[{\"hostName\":\"own\",\"ip\":\"10.0.0.1\"}]"}`},
		"an empty list":  {`{"val_":"[]"}`, `{"val_":"[{\"hostName\":\"own\",\"ip\":\"10.0.0.1\"}]"}`},
		"without a list": {`{"owner":"x"}`, `{"owner":"x","val_":"[{\"hostName\":\"own\",\"ip\":\"10.0.0.1\"}]"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			s.put("hostsall", "own", tt.before)
			m.pass()
			assert.Equal(t, tt.after, s.value("hostsall", "own"))
		})
	}
}

func TestTheOwnElementIsFoundWithSlashOrDash(t *testing.T) {
	for _, stored := range []string{"workers/0", "workers-0"} {
		for _, told := range []string{"workers/0", "workers-0"} {
			s := newSlice(t)
			s.placeHolders("own", stored, "all")
			other := `{\"hostName\":\"workers/1\",\"ip\":\"\"}`
			s.put("hostsall", "own", `{"val_":"[`+other+`,{\"hostName\":\"`+stored+`\",\"ip\":\"\"}]"}`)
			s.boot(s.userData("own", told, "all"), "").pass()
			assert.Equal(t, `{"val_":"[`+other+`,{\"hostName\":\"workers-0\",\"ip\":\"10.0.0.1\"}]"}`, s.value("hostsall", "own"))
		}
	}
}

func TestNoOtherElementIsTakenForTheOwn(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	const others = `{"val_":"[{\"hostName\":\"a\",\"ip\":\"\"},{\"hostName\":\"b\",\"ip\":\"\"}]"}`
	s.put("hostsall", "own", others)
	_, err := m.once()
	require.ErrorContains(t, err, "publish: hostsall: the entry has no element for own")
	assert.Equal(t, others, s.value("hostsall", "own"))
	assert.NotContains(t, s.value("pubkeysall", "own"), `\"\"`, "the key is published all the same")
}

func TestWithoutAPlaceHolderNothingIsPublished(t *testing.T) {
	s := newSlice(t)
	_, err := s.boot(s.userData("own", "own", "all"), "").once()
	require.ErrorIs(t, err, comet.ErrNotFound)
	entries, err := s.client.List(t.Context(), s.id, scope.Family{}, s.read)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestTheKeyOfBeforeIsReplaced(t *testing.T) {
	s := newSlice(t)
	old, foreign := newKey(t, "old"), newKey(t, "foreign")
	element := func(key string) string { return `{\"publicKey\":\"` + key + `\",\"note\":1}` }
	m := s.vm()
	m.pass()
	key := strings.TrimSpace(m.file(own+".pub")) + `\\n`
	for name, tt := range map[string]struct{ before, after string }{
		"after a rebuild":      {element(old), element(key)},
		"without its newline":  {element(strings.TrimSuffix(key, `\\n`)), element(key)},
		"a place among others": {element(foreign) + "," + element(""), element(foreign) + "," + element(key)},
		"already there":        {element(foreign) + "," + element(key), element(foreign) + "," + element(key)},
	} {
		t.Run(name, func(t *testing.T) {
			s.put("pubkeysall", "own", `{"val_":"[`+tt.before+`]"}`)
			m.pass()
			assert.Equal(t, `{"val_":"[`+tt.after+`]"}`, s.value("pubkeysall", "own"))
		})
	}
	s.put("pubkeysall", "own", `""`)
	m.pass()
	assert.Equal(t, `{"val_":"[{\"publicKey\":\"`+key+`\"}]"}`, s.value("pubkeysall", "own"))
}

func TestTheKeyIsMadeOnceAndKept(t *testing.T) {
	s := newSlice(t)
	m := s.vm()
	m.pass()
	private, public := m.file(own), m.file(own+".pub")
	for name, mode := range map[string]fs.FileMode{own: 0o600, own + ".pub": 0o644, "root/.ssh": fs.ModeDir | 0o700} {
		info, err := os.Stat(filepath.Join(m.root, name))
		require.NoError(t, err)
		assert.Equal(t, mode, info.Mode(), name)
	}
	signer, err := ssh.ParsePrivateKey([]byte(private))
	require.NoError(t, err)
	parsed, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	require.NoError(t, err)
	assert.Equal(t, signer.PublicKey().Marshal(), parsed.Marshal())
	assert.Equal(t, "root@own", comment)
	if keygen, err := exec.LookPath("ssh-keygen"); err == nil {
		out, err := exec.CommandContext(t.Context(), keygen, "-y", "-f", filepath.Join(m.root, own)).CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Equal(t, public, string(out))
	}
	s.boot(s.userData("own", "own", "all"), m.root).pass()
	assert.Equal(t, private, m.file(own))
	assert.Equal(t, public, m.file(own+".pub"))
}

func TestAKeyThatIsThereIsUsed(t *testing.T) {
	for name, file := range map[string]string{"RSA": "id_rsa.pub", "ECDSA": "id_ecdsa.pub", "Ed25519": "id_ed25519.pub"} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			line := newKey(t, "root@before")
			m.write("root/.ssh/"+file, line+"\r\n")
			m.pass()
			assert.Equal(t, `{"val_":"[{\"publicKey\":\"`+line+`\\n\"}]"}`, s.value("pubkeysall", "own"))
			assert.Empty(t, m.file(own), "no other is made")
		})
	}
}

func TestAPrivateKeyWithoutItsPublicHalfIsNotReplaced(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	encode := func(block *pem.Block, err error) string {
		require.NoError(t, err)
		return string(pem.EncodeToMemory(block))
	}
	t.Run("it is made", func(t *testing.T) {
		s := newSlice(t)
		m := s.vm()
		m.write(own, encode(ssh.MarshalPrivateKey(private, "")))
		before := m.file(own)
		m.pass()
		assert.Equal(t, before, m.file(own))
		public, err := ssh.NewPublicKey(private.Public())
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))+" root@own\n", m.file(own+".pub"))
		assert.Contains(t, s.value("pubkeysall", "own"), strings.Fields(m.file(own + ".pub"))[1])
	})
	for name, text := range map[string]string{
		"with a passphrase": encode(ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("hunter2"))),
		"damaged":           "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			m.write("root/.ssh/id_rsa", text)
			_, err := m.once()
			require.ErrorContains(t, err, "publish: /root/.ssh/id_rsa is there without its .pub")
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, text, m.file("root/.ssh/id_rsa"))
			assert.Empty(t, m.file(own))
			assert.Contains(t, s.value("hostsall", "own"), ownAddress.String(), "the address is published all the same")
		})
	}
}

func TestAPublicKeyFileThatIsNoneIsNotPublished(t *testing.T) {
	for name, text := range map[string]string{
		"empty":        "",
		"text":         "hunter2\n",
		"two keys":     newKey(t, "a") + "\n" + newKey(t, "b") + "\n",
		"with options": `command="hunter2" ` + newKey(t, "a") + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlice(t)
			m := s.vm()
			m.write(own+".pub", text)
			_, err := m.once()
			require.ErrorContains(t, err, "publish: /root/.ssh/id_ed25519.pub: ")
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Equal(t, string(scope.Encode(scope.PubKey{})), s.value("pubkeysall", "own"))
		})
	}
}
