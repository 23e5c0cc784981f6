package identity_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet/guest/identity"
	"github.com/renci-nrig/comet-go/comet/orca"
)

func TestUserDataOfEC2(t *testing.T) {
	want, err := orca.ParseUserData([]byte(ini(t)))
	require.NoError(t, err)
	for name, text := range map[string]string{"as it is": ini(t), "compressed": compressed(t, ini(t))} {
		t.Run(name, func(t *testing.T) {
			cloud := ec2.and(documents{userData: text, osMetadata: metadata(t)}).cloud(t)
			self := found(t, cloud)
			assert.Equal(t, want, self.UserData)
			assert.Equal(t, ini(t), self.Text.Reveal())
			assert.Equal(t, "i-0abc", self.InstanceID)
			assert.Equal(t, addr("192.0.2.7"), self.Public)
			assert.Equal(t, addr("10.0.0.7"), self.Private)
			assert.False(t, self.OpenStack)
			assert.Equal(t, cloud.Base+"/latest/user-data", self.Source)
		})
	}
}

// As Chameleon has it: the user data is the user's own, the addresses are at EC2's place.
func TestMetadataOfOpenStack(t *testing.T) {
	want, err := orca.ParseMetadata([]byte(metadata(t)))
	require.NoError(t, err)
	for name, more := range map[string]documents{
		"no user data":      {},
		"empty user data":   {userData: "", osUserData: "\n"},
		"cloud-init's":      {userData: "#cloud-config\nhostname: a\n", osUserData: "#cloud-config\nhostname: a\n"},
		"a script":          {userData: "#!/bin/sh\necho hunter2\n"},
		"compressed script": {userData: compressed(t, "#!/bin/sh\necho hunter2\n")},
		"several parts":     {userData: "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n[global]\n"},
		"huge":              {userData: "[global]\na=" + strings.Repeat("hunter2", 200_000)},
		"a bomb":            {userData: compressed(t, "[global]\n"+strings.Repeat("a", 4<<20))},
		"damaged":           {userData: compressed(t, ini(t))[:100]},
		"binary":            {userData: "\x00\x01\x02\xff"},
		"Ignition":          {userData: `{"ignition":{"version":"3.4.0"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := ec2.and(documents{osMetadata: metadata(t)}).and(more).cloud(t)
			self := found(t, cloud)
			assert.Equal(t, want, self.UserData)
			assert.Equal(t, metadata(t), self.Text.Reveal())
			assert.Equal(t, uuid, self.InstanceID)
			assert.Equal(t, addr("192.0.2.7"), self.Public)
			assert.True(t, self.OpenStack)
			assert.Equal(t, cloud.Base+"/openstack/latest/meta_data.json", self.Source)
		})
	}
}

// An ini file is taken from OpenStack's place as well, and has the same ID wherever it is found.
func TestUserDataOfOpenStack(t *testing.T) {
	self := found(t, ec2.and(documents{osUserData: ini(t), osMetadata: metadata(t)}).cloud(t))
	assert.Equal(t, iniKey, self.UserData.ReservationID.String())
	assert.Equal(t, "i-0abc", self.InstanceID)
	assert.False(t, self.OpenStack)

	self = found(t, documents{osUserData: ini(t), osMetadata: `{"uuid":"` + uuid + `","meta":{}}`}.cloud(t))
	assert.Equal(t, uuid, self.InstanceID)
	self = found(t, documents{osUserData: ini(t)}.cloud(t))
	assert.Equal(t, iniKey, self.InstanceID)
	self = found(t, documents{osMetadata: strings.Replace(metadata(t), `"uuid"`, `"id"`, 1)}.cloud(t))
	assert.Equal(t, metaKey, self.InstanceID)
}

func TestTheFormWithoutHeads(t *testing.T) {
	self := found(t, documents{userData: "[global]\nunit_id=u1\nhost_name=a/0\n[users]\nroot=no:key\n"}.cloud(t))
	assert.Empty(t, self.UserData.CometHost)
	assert.Len(t, self.UserData.Section("users"), 1)
	assert.Equal(t, "u1", self.InstanceID)
	self = found(t, documents{userData: "[global]\nslice_id=s\nhost_name=a/0\n"}.cloud(t))
	assert.Equal(t, "s-a-0", self.InstanceID)
	self = found(t, documents{userData: "[global]\nrouter=true\n"}.cloud(t))
	assert.Equal(t, "unnamed", self.InstanceID)
}

func TestWhatCloudsSayInsteadOfAnIdentity(t *testing.T) {
	const page = "<!DOCTYPE html>\n<html><body>hunter2, please log in</body></html>\n"
	for name, tt := range map[string]struct {
		documents documents
		want      string
	}{
		"nothing at all":   {documents{}, "latest/user-data: nothing for this VM (404 Not Found); openstack/latest/user_data: nothing for this VM (404 Not Found); openstack/latest/meta_data.json: nothing for this VM (404 Not Found)"},
		"other metadata":   {documents{osMetadata: `{"uuid":"u","hostname":"h","meta":{"hunter2":"x"}}`}, "meta_data.json: nothing for this VM (it is no JSON whose meta, or metadata, has slice_id or comethost)"},
		"broken user data": {documents{userData: "[global]\n\nslice_id=hunter2\x01\n", osMetadata: metadata(t)}, "latest/user-data: must be mended: line 3: slice_id: has a control character (U+0001)"},
		"broken metadata":  {documents{osMetadata: `{"meta":{"slice_id":["hunter2"]}}`}, "meta_data.json: must be mended: meta.slice_id: is not text"},
		"huge":             {documents{userData: "[global]\na=" + strings.Repeat("hunter2", 200_000)}, "latest/user-data: nothing for this VM (it is longer than 1 MiB)"},
		"a bomb":           {documents{userData: compressed(t, "[global]\n"+strings.Repeat("a", 4<<20))}, "latest/user-data: nothing for this VM (it is longer than 1 MiB)"},
		"half of it":       {documents{userData: compressed(t, ini(t))[:100]}, "latest/user-data: nothing for this VM (it is compressed, and damaged: unexpected EOF)"},
		"two bytes of it":  {documents{userData: "\x1f\x8b"}, "latest/user-data: nothing for this VM (it is compressed, and damaged: unexpected EOF)"},
		"a huge ID":        {documents{userData: ini(t), instanceID: strings.Repeat("a", 2<<20)}, "latest/meta-data/instance-id: it is longer than 1 MiB"},
		"a page, always":   {documents{userData: page, osUserData: page, osMetadata: page, instanceID: page, publicIPv4: page}, "latest/meta-data/instance-id: is no ID of an instance"},
		"a page as ID":     {documents{userData: ini(t), instanceID: "<html>hunter2</html>"}, "latest/meta-data/instance-id: is no ID of an instance"},
		"a long ID":        {documents{userData: ini(t), instanceID: strings.Repeat("a", 300)}, "latest/meta-data/instance-id: is no ID of an instance"},
		"no address":       {documents{userData: ini(t), publicIPv4: "hunter2"}, "latest/meta-data/public-ipv4: is no IP address"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := tt.documents.cloud(t)
			assert.Contains(t, refused(t, cloud), "metadata at "+cloud.Base+": ")
			assert.Contains(t, refused(t, cloud), tt.want)
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	elsewhere := documents{userData: ini(t)}.cloud(t)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"refused":    {status(http.StatusForbidden), "latest/user-data: it answers 403 Forbidden"},
		"IMDSv2":     {status(http.StatusUnauthorized), "it answers 401 Unauthorized: allow the instance's metadata without session tokens"},
		"broken":     {status(http.StatusInternalServerError), "it answers 500 Internal Server Error"},
		"unheard of": {status(599), "latest/user-data: it answers 599"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.Base+r.URL.Path, http.StatusFound)
		},
			"latest/user-data: it answers with a way elsewhere, which is not followed"},
		"in circles": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/", http.StatusFound) },
			"latest/user-data: it answers with a way elsewhere, which is not followed"},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "[global]\n")
		}, "latest/user-data: the connection ended before the answer did"},
		"without end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 64<<10))
			}
		}, "latest/meta-data/instance-id: it is longer than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Contains(t, refused(t, serve(t, tt.answer)), tt.want)
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestARedirectWithinTheServiceIsFollowed(t *testing.T) {
	self := found(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/latest/user-data":
			http.Redirect(w, r, "/2009-04-04/user-data", http.StatusFound)
		case "/2009-04-04/user-data":
			_, _ = io.WriteString(w, ini(t))
		default:
			http.NotFound(w, r)
		}
	}))
	assert.Equal(t, iniKey, self.InstanceID)
}

// Any part of an answer may be late, and no part makes the others wait for ever.
func TestSlowAnswers(t *testing.T) {
	for _, slow := range []string{userData, osMetadata, instanceID, localIPv4} {
		for _, begun := range []bool{false, true} {
			t.Run(fmt.Sprint(slow, begun), func(t *testing.T) {
				all := ec2.and(documents{osMetadata: metadata(t)})
				cloud := serve(t, func(w http.ResponseWriter, r *http.Request) {
					name := strings.TrimPrefix(r.URL.Path, "/")
					switch text, ok := all[name]; {
					case name == slow:
						if begun {
							_, _ = io.WriteString(w, "1")
							_ = http.NewResponseController(w).Flush()
						}
						<-r.Context().Done()
					case ok:
						_, _ = io.WriteString(w, text)
					default:
						http.NotFound(w, r)
					}
				})
				cloud.Timeout = 50 * time.Millisecond
				assert.Contains(t, refused(t, cloud), ": no answer within 50ms") // of others too, where the machine is busy
			})
		}
	}
}

func TestAServiceThatIsNotThere(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	assert.Contains(t, refused(t, identity.Metadata{Base: closed.URL}), "latest/user-data: connect: connection refused")

	for _, base := range []string{"169.254.169.254", "https://127.0.0.1", "http://", "http://127.0.0.1/latest", "http://me:hunter2@127.0.0.1", "http://127.0.0.1:x", "\x7f"} {
		assert.Contains(t, refused(t, identity.Metadata{Base: base}), "it is no address such as http://169.254.169.254")
	}
}

// speak answers each connection with the text once something was asked.
func speak(t *testing.T, text string) identity.Metadata {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			_, _ = io.WriteString(c, text)
			c.Close()
		}
	})
}

func TestAnswersThatAreNoHTTP(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	for text, want := range map[string]string{
		"SSH-2.0-hunter2\r\n": "latest/user-data: it answers with something that is no HTTP",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#!hunter2":        "latest/meta-data/instance-id: is no ID of an instance",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2": "latest/user-data: ",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("hunter2", 20_000):   "latest/user-data: it answers with something that is no HTTP",
		"": "latest/user-data: the connection ended before the answer did",
	} {
		assert.Contains(t, refused(t, speak(t, text)), want)
	}
	assert.Empty(t, logged.String())
}

func TestTheCallerMayGiveUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cloud := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := identity.Search{Sources: []identity.Source{cloud, cloud}}.Find(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// Addresses that no other VM could use are none.
func TestAddressesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "127.0.0.1", "0.0.0.0", "169.254.0.1", "224.0.0.1", "::1", "fe80::1", "fe80::1%eth0", "255.255.255.255", "::ffff:127.0.0.1"} {
		self := found(t, documents{userData: ini(t), publicIPv4: text, localIPv4: "::ffff:10.0.0.7"}.cloud(t))
		assert.False(t, self.Public.IsValid(), text)
		assert.Equal(t, addr("10.0.0.7"), self.Private)
	}
}
