package am_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/scope"
)

// newcomers has an element for each family that no vector has.
var newcomers = map[scope.Family]scope.Element{
	scope.FamilyUsers:      scope.User{Login: "zoe", Sudo: "no", Keys: scope.KeyText{keyA}},
	scope.FamilyInterfaces: scope.Interface{MAC: "0242ac110002", State: "up", IPVersion: "ipv6", IP: "2001:db8::9/64"},
	scope.FamilyStorage: scope.Storage{Device: "dev.mod.9", Type: "iscsi", TargetIP: "2001:db8::1", TargetPort: "3260", TargetLUN: "0",
		ChapSecret: scope.Hide("a:b"), ShouldAttach: "yes"},
	scope.FamilyRoutes:  scope.Route{Network: "10.9.0.0/16", NextHop: "user"},
	scope.FamilyScripts: scope.Script{Name: "zoe", Body: scope.Hide("#!/bin/sh\necho <&>\u2028:\n")},
}

// writeEntry puts a value down as it is.
func writeEntry(t *testing.T, client *comet.Client, unit orca.Unit, family scope.Family, value string) {
	t.Helper()
	name := scope.Name{Context: unit.SliceID, Family: family, Key: unit.ReservationID}
	_, err := client.Write(t.Context(), name, unit.Tokens, []byte(value))
	require.NoError(t, err)
}

// heads are both kinds: those of this project, and such as are deployed.
func bothKinds(t *testing.T, test func(t *testing.T, heads *comettest.Heads)) {
	t.Run("with extensions", func(t *testing.T) { test(t, comettest.Start(t, 1)) })
	t.Run("without", func(t *testing.T) { test(t, comettest.Start(t, 1, server.WithoutExtensions())) })
}

// What was there before comes back to the byte, whatever wrote it and however it is spaced and escaped.
func TestAddThenDeleteGivesBackTheVeryBytes(t *testing.T) {
	values := map[scope.Family][]string{}
	paths, err := filepath.Glob("../../testdata/slice/*.families.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var arrays map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &arrays))
		for family, array := range arrays {
			inner, err := json.Marshal(string(array))
			require.NoError(t, err)
			f := scope.MustFamily(family)
			values[f] = append(values[f], fmt.Sprintf(`{ "val_" : %s, "theirs":[1, 2]}`, inner), fmt.Sprintf(`{"val_":%s}`, inner))
		}
	}
	bothKinds(t, func(t *testing.T, heads *comettest.Heads) {
		client := heads.Client()
		unit, _ := load(t, "master")
		for family, e := range newcomers {
			for _, value := range append(values[family], `{"val_":"[]"}`, `{"a":1, "val_":"[ ]"}`, `{"val_":"[{\"\u0061\":1} , 7]","b":null}`) {
				writeEntry(t, client, unit, family, value)
				replaced, err := am.Add(t.Context(), client, unit, e, 0)
				require.NoError(t, err)
				assert.False(t, replaced)
				during := seen(t, client, unit)[family.String()]
				assert.NotEqual(t, value, during)
				replaced, err = am.Add(t.Context(), client, unit, e, 0)
				require.NoError(t, err)
				assert.True(t, replaced)
				assert.Equal(t, during, seen(t, client, unit)[family.String()], "added once more")
				removed, err := am.Delete(t.Context(), client, unit, family, e.ElementKey(), 0)
				require.NoError(t, err)
				assert.True(t, removed)
				assert.Equal(t, value, seen(t, client, unit)[family.String()])
				removed, err = am.Delete(t.Context(), client, unit, family, e.ElementKey(), 0)
				require.NoError(t, err)
				assert.False(t, removed, "once more")
			}
		}
	})
}

func TestAddReplacesOneElementAndKeepsWhatItDoesNotKnow(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	unit, _ := load(t, "master")
	for name, tt := range map[string]struct {
		element            scope.Element
		before, key, after string
	}{
		"user": {
			scope.User{Login: "BOB", Sudo: "no", Keys: scope.KeyText{keyA + ":" + keyB}},
			`[{"user":"al","sudo":"yes","key":["x"]},{"user":"Bob","sudo":"yes","key":["` + keyA + `"],"shell":"zsh"}]`, "bOb",
			`[{"user":"al","sudo":"yes","key":["x"]},{"user":"Bob","sudo":"no","key":["` + keyA + `","` + keyB + `"],"shell":"zsh"}]`,
		},
		"user of whom only a key is said": {
			scope.User{Login: "bob", Keys: scope.KeyText{keyB, keyA, keyB}},
			`[{"user":"bob","sudo":"yes","key":["` + keyA + `"]}]`, "bob",
			`[{"user":"bob","sudo":"yes","key":["` + keyA + `","` + keyB + `"]}]`,
		},
		"user of whom only sudo is said": {
			scope.User{Login: "bob", Sudo: "no"},
			`[{"user":"bob","sudo":"yes","key":["` + keyA + `"]}]`, "bob",
			`[{"user":"bob","sudo":"no","key":["` + keyA + `"]}]`,
		},
		"interface": {
			scope.Interface{MAC: "fe163e0026cb", State: "down", IPVersion: "ipv4"},
			`[{"mac":"FE163E0026CB","state":"up","ipVersion":"ipv4","ip":"10.0.0.1/8","hosteth":"eth0","vlanTag":"3017","mtu":9000},{"mac":"00"}]`, "FE:16:3e:00:26:cb",
			`[{"mac":"fe163e0026cb","state":"down","ipVersion":"ipv4","hosteth":"eth0","vlanTag":"3017","mtu":9000},{"mac":"00"}]`,
		},
		"route": {
			scope.Route{Network: "10.1.0.0/16", NextHop: "10.0.0.2"},
			`[{"routeNetwork":"10.1.0.0/16","routeNextHop":"10.0.0.1","device":"eth0"}]`, "10.1.0.0/16",
			`[{"routeNetwork":"10.1.0.0/16","routeNextHop":"10.0.0.2"}]`,
		},
		"route that was spelled otherwise": {
			scope.Route{Network: "10.1.0.0/16", NextHop: "down"},
			`[{"routeNetwork":"10.1.2.3/16","routeNextHop":"10.0.0.1"}]`, "10.1.9.9/16",
			`[{"routeNetwork":"10.1.0.0/16","routeNextHop":"down"}]`,
		},
		"script": {
			scope.Script{Name: "a", Body: scope.Hide("new")},
			`[{"scriptName":"a","scriptBody":"old"},{"scriptName":"A","scriptBody":"other"}]`, "a",
			`[{"scriptName":"a","scriptBody":"new"},{"scriptName":"A","scriptBody":"other"}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			family := scope.MustFamily(tt.element.Kind())
			inner, err := json.Marshal(tt.before)
			require.NoError(t, err)
			writeEntry(t, client, unit, family, fmt.Sprintf(`{"val_":%s}`, inner))
			replaced, err := am.Add(t.Context(), client, unit, tt.element, 0)
			require.NoError(t, err)
			assert.True(t, replaced)
			assert.Equal(t, tt.after, array(t, seen(t, client, unit)[family.String()]))
			removed, err := am.Delete(t.Context(), client, unit, family, tt.key, 0)
			require.NoError(t, err)
			assert.True(t, removed)
		})
	}
}

// array is the list in a value.
func array(t *testing.T, value string) string {
	t.Helper()
	var v struct {
		Val string `json:"val_"`
	}
	require.NoError(t, json.Unmarshal([]byte(value), &v))
	return v.Val
}

func TestNothingIsAddedToWhatIsNotThere(t *testing.T) {
	bothKinds(t, func(t *testing.T, heads *comettest.Heads) {
		client := heads.Client()
		unit, families := load(t, "master")
		_, err := am.Add(t.Context(), client, unit, newcomers[scope.FamilyRoutes], 0)
		require.ErrorIs(t, err, comet.ErrNotFound)
		require.ErrorContains(t, err, `add to VM master: routes "10.9.0.0/16": `)
		assert.Empty(t, seen(t, client, unit))

		require.NoError(t, am.Publish(t.Context(), client, unit, families))
		before := seen(t, client, unit)
		_, err = am.Add(t.Context(), client, unit, scope.Host{HostName: "x"}, 0)
		require.ErrorContains(t, err, `section "hosts" does not exist`)
		_, err = am.Add(t.Context(), client, unit, scope.Route{Network: "10.9.0.0/16"}, 0)
		require.ErrorContains(t, err, "routeNextHop")
		_, err = am.Delete(t.Context(), client, unit, scope.FamilyRoutes, "${key}", 0)
		require.ErrorContains(t, err, "the key is not set")
		wrong := unit
		wrong.Tokens.Write = scope.NewToken()
		_, err = am.Add(t.Context(), client, wrong, newcomers[scope.FamilyRoutes], 0)
		require.ErrorIs(t, err, comet.ErrUnauthorized)
		assert.Equal(t, before, seen(t, client, unit))
	})
}

func TestANewUserHasAKeyAndNoSudo(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	unit, _ := load(t, "master")
	writeEntry(t, client, unit, scope.FamilyUsers, `{"val_":"[]"}`)
	_, err := am.Add(t.Context(), client, unit, scope.User{Login: "bob"}, 0)
	var field *scope.FieldError
	require.ErrorAs(t, err, &field)
	require.EqualError(t, err, `add to VM master: users "bob": key is missing; the user is new`)
	_, err = am.Add(t.Context(), client, unit, scope.User{Login: "bob", Keys: scope.KeyText{"Planted"}}, 0)
	require.EqualError(t, err, `users "bob": key number 1 is not a public SSH key`)
	_, err = am.Add(t.Context(), client, unit, scope.User{Login: "bob", Keys: scope.KeyText{keyA, keyB}}, 0)
	require.NoError(t, err)
	assert.Equal(t, `[{"user":"bob","sudo":"no","key":["`+keyA+":"+keyB+`"]}]`, array(t, seen(t, client, unit)["users"]))
}

// What an old program put down can be taken out by whatever key it has; that a mistyped key finds nothing is no success.
func TestDeleteByAKeyThatIsNone(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	unit, _ := load(t, "master")
	unit.HostName = ""
	_, err := am.Delete(t.Context(), client, unit, scope.FamilyInterfaces, "zz", 0)
	require.EqualError(t, err, `delete from VM `+unit.ReservationID.String()+`: interfaces "zz": mac is not 12 hex digits`)
	writeEntry(t, client, unit, scope.FamilyInterfaces, `{"val_":"[{\"mac\":\"zz\"}]"}`)
	removed, err := am.Delete(t.Context(), client, unit, scope.FamilyInterfaces, "zz", 0)
	require.NoError(t, err)
	assert.True(t, removed)
	for family, key := range map[scope.Family]string{scope.FamilyInterfaces: "zz", scope.FamilyUsers: "bo/b", scope.FamilyStorage: "a/b",
		scope.FamilyRoutes: "default", scope.FamilyScripts: "../x"} {
		writeEntry(t, client, unit, family, `{"val_":"[]"}`)
		_, err = am.Delete(t.Context(), client, unit, family, key, 0)
		var field *scope.FieldError
		require.ErrorAs(t, err, &field, key)
	}
}

func TestAnEntryThatHoldsNoListStaysAsItIs(t *testing.T) {
	heads := comettest.Start(t, 1)
	unit, _ := load(t, "master")
	client := heads.Client()
	writeEntry(t, client, unit, scope.FamilyRoutes, `{"val_":"Planted"}`)
	_, err := am.Add(t.Context(), client, unit, newcomers[scope.FamilyRoutes], 0)
	require.ErrorIs(t, err, comet.ErrConflict)
	assert.NotContains(t, err.Error(), "Planted")
	assert.Equal(t, 1, heads.Calls(0, "readScope"), "asked once")
	assert.JSONEq(t, `{"val_":"Planted"}`, seen(t, client, unit)["routes"])
}

// Two aggregate managers at work on one VM lose nothing of each other's.
func TestTwoAtOnceLoseNothing(t *testing.T) {
	heads := comettest.Start(t, 2)
	unit, families := load(t, "master")
	client := heads.Client()
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	const each = 500
	var both sync.WaitGroup
	for _, manager := range []string{"a", "b"} {
		mine := heads.Client()
		both.Go(func() {
			for i := range each {
				var e scope.Element = scope.Route{Network: fmt.Sprintf("10.%d.%d.0/24", manager[0], i%250), NextHop: "user"}
				if i >= 250 {
					e = scope.Script{Name: fmt.Sprintf("%s-%d", manager, i), Body: scope.Hide("true")}
				}
				_, err := am.Add(t.Context(), mine, unit, e, 0)
				assert.NoError(t, err)
			}
		})
	}
	both.Wait()
	routes, err := client.Routes(t.Context(), unit.SliceID, unit.ReservationID, unit.Tokens.Read)
	require.NoError(t, err)
	scripts, err := client.Scripts(t.Context(), unit.SliceID, unit.ReservationID, unit.Tokens.Read)
	require.NoError(t, err)
	assert.Equal(t, len(families.Routes)+each, len(routes))
	assert.Equal(t, len(families.Scripts)+each, len(scripts))
}

// Without conditional changes another one's older state may land on top of ours. Before Add has read its change back that is mended;
// behind it, settle alone sees it.
func TestLossesOnHeadsWithoutConditionalChanges(t *testing.T) {
	route := newcomers[scope.FamilyRoutes].(scope.Route)
	for name, tt := range map[string]struct {
		after  string // the call of ours that is followed by the other's write
		nth    int32
		settle time.Duration
		lost   error
		is     bool // there at the end
	}{
		"before the reading back":           {"write", 1, 0, nil, true},
		"after the reading back":            {"read", 2, 0, nil, false},
		"after the reading back, looked at": {"read", 2, time.Millisecond, am.ErrLost, false},
		"after the last look":               {"read", 3, time.Millisecond, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			heads := comettest.Start(t, 1, server.WithoutExtensions())
			unit, families := load(t, "master")
			other := heads.Client()
			require.NoError(t, am.Publish(t.Context(), other, unit, families))
			older := seen(t, other, unit)["routes"]
			var calls atomic.Int32
			client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
				if a.Op == tt.after && calls.Add(1) == tt.nth {
					writeEntry(t, other, unit, scope.FamilyRoutes, older)
				}
			}))
			_, err := am.Add(t.Context(), client, unit, route, tt.settle)
			require.ErrorIs(t, err, tt.lost)
			assert.Equal(t, tt.is, strings.Contains(seen(t, other, unit)["routes"], route.Network))
			_, err = am.Add(t.Context(), heads.Client(), unit, route, time.Millisecond)
			require.NoError(t, err, "once more")
		})
	}
}

func TestSettleCostsNothingWhereChangesAreConditional(t *testing.T) {
	heads := comettest.Start(t, 1)
	unit, families := load(t, "master")
	client := heads.Client()
	require.NoError(t, am.Publish(t.Context(), client, unit, families))
	_, err := am.Add(t.Context(), client, unit, newcomers[scope.FamilyRoutes], time.Hour)
	require.NoError(t, err)
	assert.Equal(t, 1, heads.Calls(0, "readScope"))
}
