package guest_test

import (
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/scope"
)

// olderVM is a VM of the slice that still has the Python tools: what they read and write, as they do.
type olderVM struct {
	*slice
	key, name, ip, public string
}

// elements are json.loads(json.loads(value)["val_"]).
func (o *olderVM) elements(value string) (outer map[string]any, list []map[string]string) {
	o.Helper()
	require.NoError(o, json.Unmarshal([]byte(value), &outer))
	require.NoError(o, json.Unmarshal([]byte(outer["val_"].(string)), &list), "all members are texts")
	return outer, list
}

// report fills in the place-holders that are empty.
func (o *olderVM) report() {
	o.Helper()
	fill := func(family, member, value string) {
		o.Helper()
		outer, list := o.elements(o.value(family, o.key))
		for _, e := range list {
			if name, ok := e["hostName"]; ok && name != strings.ReplaceAll(o.name, "/", "-") {
				continue
			}
			if e[member] == "" {
				e[member] = value
			}
		}
		text, err := json.Marshal(list)
		require.NoError(o, err)
		outer["val_"] = string(text)
		body, err := json.Marshal(outer)
		require.NoError(o, err)
		o.put(family, o.key, string(body))
	}
	fill("hostsall", "ip", o.ip)
	fill("pubkeysall", "publicKey", o.public)
}

// learn returns the lines that it would write of the others.
func (o *olderVM) learn() (hosts, keys []string) {
	o.Helper()
	all := func(family string, take func(map[string]string)) {
		o.Helper()
		entries, err := o.client.List(o.Context(), o.id, scope.MustName("slice", family, "x").Family, o.read)
		require.NoError(o, err)
		for _, e := range entries {
			if e.Name.Key.String() == o.key {
				continue
			}
			_, list := o.elements(string(e.Value))
			for _, element := range list {
				take(element)
			}
		}
	}
	all("hostsall", func(e map[string]string) {
		if e["ip"] != "" {
			hosts = append(hosts, e["ip"]+"\t"+strings.ReplaceAll(e["hostName"], "/", "-"))
		}
	})
	all("pubkeysall", func(e map[string]string) {
		if e["publicKey"] != "" {
			keys = append(keys, e["publicKey"])
		}
	})
	return hosts, keys
}
