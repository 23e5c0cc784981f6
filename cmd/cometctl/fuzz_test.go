package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata/plant"
)

// FuzzShow: whatever somebody has put into an entry, it is shown in a table with a row for each element and nothing that a terminal acts on,
// and as JSON that holds the elements as they are.
func FuzzShow(f *testing.F) {
	for _, value := range []string{
		"", `""`, `{}`, `{"val_":"[{\"hostName\":\"a\",\"ip\":\"10.0.0.1\"},{\"ip\":[\"a\",\"b\"],\"x\":{\"y\":null}}]"}`, `{"val_":[7,null,"a",{"a":1,"a":2}]}`,
		`{"val_":[{"\u001b]0;x\u0007":"\u001b[2J"}]}`, `{"val_":[{"a\nb\tc":"\u202e\n"}]}`, "\x1b[2J", `{"a":"\u009b"}`, "[1", `{"val_":"~"}`,
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		shown := show(comet.Entry{Name: scope.MustName("s", "hostsall", "k"), Value: []byte(value)})
		var out bytes.Buffer
		table := shown.table()
		require.NoError(t, table.Write(&out))
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				plant.RequireLine(t, line)
			}
		}
		if shown.Value == nil {
			require.Len(t, table.Rows, len(shown.Elements))
		}
		_, err := json.Marshal(shown)
		require.NoError(t, err)
	})
}
