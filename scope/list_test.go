package scope_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

func TestEveryStoredFormIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want []scope.Host
	}{
		"as ORCA writes it":       {`{"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"152.54.14.31\"}]"}`, []scope.Host{{HostName: "workers-0", IP: "152.54.14.31"}}},
		"empty list":              {`{"val_":"[]"}`, nil},
		"reset by Mobius":         {`""`, nil},
		"nothing at all":          {``, nil},
		"null":                    {`null`, nil},
		"empty object":            {`{}`, nil},
		"val_ is null":            {`{"val_":null}`, nil},
		"val_ is empty":           {`{"val_":""}`, nil},
		"val_ is blank":           {`{"val_":" "}`, nil},
		"object without val_":     {`{"keadmToken":"t","ip":"1.2.3.4"}`, nil},
		"not encoded twice":       {`{"val_":[{"hostName":"a","ip":""}]}`, []scope.Host{{HostName: "a"}}},
		"blanks everywhere":       {" { \"val_\" : \" [ { \\\"hostName\\\" : \\\"a\\\" } , {\\\"hostName\\\":\\\"b\\\"} ] \" } \n", []scope.Host{{HostName: "a"}, {HostName: "b"}}},
		"escaped beyond need":     {`{"val_":"[{\u0022hostName\u0022:\u0022a\u0022}]"}`, []scope.Host{{HostName: "a"}}},
		"other members":           {`{"by":"x","val_":"[{\"hostName\":\"a\"}]","n":1}`, []scope.Host{{HostName: "a"}}},
		"numbers and null":        {`{"val_":"[{\"hostName\":7,\"ip\":null}]"}`, []scope.Host{{HostName: "7"}}},
		"member of another time":  {`{"val_":"[{\"hostName\":\"a\",\"osRelease\":\"k\",\"deep\":{\"x\":[1]}}]"}`, []scope.Host{{HostName: "a"}}},
		"val_ twice, last counts": {`{"val_":"[{\"hostName\":\"a\"}]","val_":"[{\"hostName\":\"b\"}]"}`, []scope.Host{{HostName: "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := scope.Decode[scope.Host]([]byte(c.body))
			require.NoError(t, err)
			assert.Len(t, got, len(c.want))
			for i := range c.want {
				assert.Equal(t, c.want[i], got[i])
			}
		})
	}
}

func TestWhatIsNoValueSaysSoWithoutQuotingIt(t *testing.T) {
	for name, body := range map[string]string{
		"text":                 `planted`,
		"a string":             `"planted"`,
		"an array":             `[{"hostName":"planted"}]`,
		"cut off":              `{"val_":"[{\"hostName\":\"planted`,
		"rest behind":          `{"val_":"[]"} planted`,
		"val_ a number":        `{"val_":7}`,
		"val_ an object":       `{"val_":{"hostName":"planted"}}`,
		"val_ no array":        `{"val_":"planted"}`,
		"val_ array with rest": `{"val_":"[] planted"}`,
		"element a string":     `{"val_":"[\"planted\"]"}`,
		"member an object":     `{"val_":"[{\"hostName\":{\"planted\":1}}]"}`,
		"element null":         `{"val_":"[null]"}`,
		"member an array":      `{"val_":"[{\"hostName\":[\"planted\"]}]"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scope.Decode[scope.Host]([]byte(body))
			var decode *scope.DecodeError
			require.ErrorAs(t, err, &decode)
			assert.Equal(t, "hosts", decode.Kind)
			assert.NotContains(t, err.Error(), "planted")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestDecodeErrorsNameElementAndField(t *testing.T) {
	_, err := scope.Decode[scope.User]([]byte(`{"val_":"[{\"user\":\"a\",\"sudo\":\"no\",\"key\":[]},{\"user\":{},\"sudo\":\"no\",\"key\":[]}]"}`))
	require.EqualError(t, err, "users value, element 1, user: is not text but object")
}

// What other programs put into a value has to be there, to the byte, after an element was added and taken out again.
func TestAddThenDeleteGivesBackTheVeryBytes(t *testing.T) {
	for _, body := range []string{
		`{"val_":"[]"}`,
		`{"val_":"[ ]"}`,
		`{"val_":"[{\"hostName\":\"a\",\"ip\":\"\"}]"}`,
		`{"val_": "[{\"hostName\": \"a\", \"ip\": \"\"}, {\"hostName\": \"b\", \"ip\": \"\"}]", "other": [1, 2.50, {"x": "\u00e9"}]}`,
		`{"x":"y","val_":"[{\u0022hostName\u0022:\u0022\u00e9\ud83d\ude00\u0022, \"n\":1e3} , 7, null, \"\\u0041\"]"}`,
	} {
		l, err := scope.ParseList([]byte(body))
		require.NoError(t, err, body)
		require.False(t, scope.Put(l, scope.Host{HostName: "new/0", IP: "10.0.0.1"}))
		mid, err := scope.ParseList(l.Bytes())
		require.NoError(t, err, "%s", l.Bytes())
		require.True(t, scope.Remove[scope.Host](mid, "new-0"))
		assert.Equal(t, body, string(mid.Bytes()))
	}
}

func TestFirstAndOnlyElementsComeAndGo(t *testing.T) {
	body := `{"val_":"[{\"hostName\":\"a\"}, {\"hostName\":\"b\"}, {\"hostName\":\"c\"}]"}`
	l, err := scope.ParseList([]byte(body))
	require.NoError(t, err)
	for _, gone := range []string{"a", "c", "b"} {
		require.True(t, scope.Remove[scope.Host](l, gone))
		require.False(t, scope.Remove[scope.Host](l, gone))
		_, err := scope.ParseList(l.Bytes())
		require.NoError(t, err)
	}
	assert.Equal(t, `{"val_":"[]"}`, string(l.Bytes()))
}

func TestPutReplacesInPlaceAndKeepsUnknownMembers(t *testing.T) {
	body := `{"val_":"[{\"mac\":\"FE163E0026C9\",\"ours\":{\"a\":[1,2]},\"state\":\"up\",\"ipVersion\":\"ipv4\",\"hosteth\":null,\"ip\":\"172.16.1.10/24\"},{\"mac\":\"x\"}]","keep":true}`
	l, err := scope.ParseList([]byte(body))
	require.NoError(t, err)
	replaced := scope.Put(l, scope.Interface{MAC: "fe163e0026c9", State: "down", IPVersion: "ipv4", HostEth: "eth1"})
	require.True(t, replaced)
	assert.Equal(t,
		`{"val_":"[{\"mac\":\"fe163e0026c9\",\"ours\":{\"a\":[1,2]},\"state\":\"down\",\"ipVersion\":\"ipv4\",\"hosteth\":\"eth1\"},{\"mac\":\"x\"}]","keep":true}`,
		string(l.Bytes()))
}

func TestReplaceLeavesEmptyMembersWhereTheyAre(t *testing.T) {
	body := `{"val_":"[{\"publicKey\":\"\",\"privateKey\":\"\"}]"}`
	l, err := scope.ParseList([]byte(body))
	require.NoError(t, err)
	scope.Replace(l, 0, scope.PubKey{PublicKey: "k"})
	assert.Equal(t, `{"val_":"[{\"publicKey\":\"k\",\"privateKey\":\"\"}]"}`, string(l.Bytes()))
	scope.Replace(l, 0, scope.PubKey{})
	assert.Equal(t, body, string(l.Bytes()))
}

// Old readers know the doubly encoded form alone: what is edited is written so, what is not stays.
func TestAListThatWasNotEncodedTwiceIsOnceItIsEdited(t *testing.T) {
	body := "{\n  \"val_\": [ {\"hostName\": \"a\"}\n ]\n}\n"
	l, err := scope.ParseList([]byte(body))
	require.NoError(t, err)
	assert.Equal(t, body, string(l.Bytes()))
	scope.Put(l, scope.Host{HostName: "b"})
	assert.Equal(t, "{\n  \"val_\": \"[ {\\\"hostName\\\": \\\"a\\\"},{\\\"hostName\\\":\\\"b\\\",\\\"ip\\\":\\\"\\\"}\\n ]\"\n}\n", string(l.Bytes()))
}

func TestAnObjectWithoutValGetsOneBesideItsMembers(t *testing.T) {
	l, err := scope.ParseList([]byte(`{"keadmToken":"t","ip":"1.2.3.4"}`))
	require.NoError(t, err)
	scope.Put(l, scope.Host{HostName: "a"})
	assert.JSONEq(t, `{"keadmToken":"t","ip":"1.2.3.4","val_":"[{\"hostName\":\"a\",\"ip\":\"\"}]"}`, string(l.Bytes()))

	l, err = scope.ParseList([]byte(` { } `))
	require.NoError(t, err)
	scope.Put(l, scope.Host{HostName: "a"})
	assert.JSONEq(t, `{"val_":"[{\"hostName\":\"a\",\"ip\":\"\"}]"}`, string(l.Bytes()))
}

// Each family of the slice in testdata decodes, and encodes to the same elements.
func TestFamiliesOfASliceRoundTrip(t *testing.T) {
	files, err := filepath.Glob("../testdata/slice/*.families.json")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var families map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &families))
		require.Len(t, families, 5)
		roundTrip[scope.User](t, families["users"])
		roundTrip[scope.Interface](t, families["interfaces"])
		roundTrip[scope.Storage](t, families["storage"])
		roundTrip[scope.Route](t, families["routes"])
		roundTrip[scope.Script](t, families["scripts"])
	}
}

func roundTrip[E scope.Element](t *testing.T, array json.RawMessage) {
	body, err := json.Marshal(map[string]string{"val_": string(array)})
	require.NoError(t, err)
	elements, err := scope.Decode[E](body)
	require.NoError(t, err)
	require.NotEmpty(t, elements)
	for _, e := range elements {
		require.NoError(t, e.Validate())
	}
	var stored struct {
		Val string `json:"val_"`
	}
	require.NoError(t, json.Unmarshal(scope.Encode(elements...), &stored))
	require.JSONEq(t, string(array), stored.Val)
}

// Whatever parses: opening changes nothing, and what one writer adds the next one finds beside everything that was there. What does not parse is
// refused without a word of it. Every ~ stands for a secret.
func FuzzList(f *testing.F) {
	for _, seed := range []string{``, `""`, `{}`, `{"val_":"[]"}`, `{"val_":"[{\"hostName\":\"a\",\"x\":1}, 7 ]","y":null}`,
		`{"val_":[{"hostName":"a"}]}`, `{"val_":"[\u007b\"hostName\":\"\ud83d\ude00\"}]"}`, `{"val_":"[{\"hostName\":\"\ud800\"}]"}`,
		`{"val_":"[~]","~":~}`, `{"val_":"~"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		body = plant.In(body)
		l, err := scope.ParseList([]byte(body))
		if err != nil {
			plant.RequirePlain(t, err)
			return
		}
		var before []string
		for i := range l.Len() {
			before = append(before, string(l.Raw(i)))
		}
		if l.Len() > 0 && string(l.Bytes()) != body {
			t.Fatalf("opening %q changed it to %q", body, l.Bytes())
		}
		const fresh = "not-there-before"
		if scope.Find[scope.Host](l, fresh) >= 0 {
			return
		}
		scope.Put(l, scope.Host{HostName: fresh})
		again, err := scope.ParseList(l.Bytes())
		if err != nil {
			t.Fatalf("%q became %q: %v", body, l.Bytes(), err)
		}
		if again.Len() != len(before)+1 || scope.Find[scope.Host](again, fresh) != len(before) {
			t.Fatalf("%q became %q", body, l.Bytes())
		}
		for i, want := range before {
			if got := string(again.Raw(i)); got != want {
				t.Fatalf("element %d was %q, is %q", i, want, got)
			}
		}
	})
}

func ExampleDecode() {
	hosts, _ := scope.Decode[scope.Host]([]byte(`{"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"152.54.14.31\"}]"}`))
	os.Stdout.WriteString(strings.Join([]string{hosts[0].HostName, hosts[0].IP}, " "))
	// Output: workers-0 152.54.14.31
}

func ExampleEncode() {
	os.Stdout.Write(scope.Encode(scope.Host{HostName: "workers-0"}))
	// Output: {"val_":"[{\"hostName\":\"workers-0\",\"ip\":\"\"}]"}
}
