package guest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/scope"
)

// Whatever goes wrong, tokens and private keys are in no log and no error.
func TestFailuresShowNoSecret(t *testing.T) {
	const planted = "plantedPrivateKey7Xq"
	for name, fault := range map[string]comettest.Fault{
		"well":                comettest.Status(200).On("nothing"),
		"nothing there":       comettest.Empty(),
		"refuses to write":    comettest.Status(403).On("writeScope"),
		"fails":               comettest.Status(500),
		"hangs":               comettest.Hang().On("writeScope", "enumerateScope"),
		"breaks off":          comettest.Cut(60),
		"resets":              comettest.Reset().On("readScope"),
		"is a page":           comettest.Page(302),
		"answers with a list": comettest.Answer(200, "application/json", `["`+planted+`"]`),
		"quotes what it has":  comettest.Answer(200, "application/json", `{"status":"OK","value":{"entries":[{"family":"hostsall","key":"a\nb","value":"`+planted+`"}]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSlice(t)
			m := s.vm()
			s.put("hostsall", "1", `{"val_":"[{\"hostName\":\"`+planted+` x\",\"ip\":\"`+planted+`\",\"privateKey\":\"`+planted+`\"}]"}`)
			s.put("hostsall", "2", planted)
			s.put("pubkeysall", "1", string(scope.Encode(scope.PubKey{PublicKey: "ssh-ed25519 " + planted, PrivateKey: scope.Hide(planted)})))
			s.put("pubkeysall", "2", `{"val_":"[{\"publicKey\":[\"`+planted+`\"],\"privateKey\":\"`+planted+`\"}]"}`)
			s.put("pubkeysall", "own", `{"val_":"[{\"publicKey\":\"\",\"privateKey\":\"`+planted+`\"}]"}`)
			var errs []error
			var said []string
			once := func(ctx context.Context) {
				st, err := m.Once(ctx)
				text, failed := json.Marshal(st)
				require.NoError(t, failed)
				errs, said = append(errs, err), append(said, string(text))
			}
			once(t.Context())
			private := m.file(own)
			s.heads.Set(0, fault)
			once(t.Context())
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			once(ended)
			require.NoError(t, os.Remove(filepath.Join(m.root, own+".pub")))
			m.write(own, "-----BEGIN OPENSSH PRIVATE KEY-----\n"+planted)
			s.heads.Stop(0)
			once(t.Context())

			out := m.log.String() + fmt.Sprintf("%v %+v %#v %s %+v", errs, errs, errs, said, s.userData("own", "own", "all"))
			require.Contains(t, out, "no head answered")
			require.Contains(t, out, "left out")
			require.NotEmpty(t, private)
			secrets := append(strings.Split(strings.TrimSpace(private), "\n")[1:4], planted, s.read.Reveal(), s.write.Reveal())
			for _, secret := range secrets {
				assert.NotContains(t, out, secret)
				assert.NotContains(t, out, url.QueryEscape(secret))
			}
		})
	}
}
