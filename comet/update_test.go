package comet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/comet"
	"github.com/renci-nrig/comet-go/comet/comettest"
	"github.com/renci-nrig/comet-go/comet/server"
	"github.com/renci-nrig/comet-go/comet/server/bolt"
	"github.com/renci-nrig/comet-go/scope"
)

var usersName = scope.MustName("s", "users", "vm")

func putUser(login string) func(*scope.List) error {
	return func(l *scope.List) error {
		scope.Put(l, scope.User{Login: login, Sudo: "no", Keys: scope.KeyText{}})
		return nil
	}
}

// logins returns who is in usersName.
func logins(t *testing.T, c *comet.Client) []string {
	users, err := c.Users(t.Context(), usersName.Context, usersName.Key, testTokens.Read)
	require.NoError(t, err)
	var all []string
	for _, u := range users {
		all = append(all, u.Login)
	}
	return all
}

func TestUpdateKeepsWhatItDoesNotKnow(t *testing.T) {
	client := comettest.Start(t, 1).Client()
	before := `{"by": "another program", "val_":"[{\"user\":\"root\",\"sudo\":\"no\",\"key\":[],\"shell\":\"zsh\"}, 7]"}`
	_, err := client.Write(t.Context(), usersName, testTokens, []byte(before))
	require.NoError(t, err)
	require.NoError(t, comet.Put(t.Context(), client, usersName, testTokens, scope.User{Login: "bob", Sudo: "yes", Keys: scope.KeyText{"k"}}))
	entry, err := client.Read(t.Context(), usersName, testTokens.Read)
	require.NoError(t, err)
	assert.Equal(t, `{"by": "another program", "val_":"[{\"user\":\"root\",\"sudo\":\"no\",\"key\":[],\"shell\":\"zsh\"}, 7, {\"user\":\"bob\",\"sudo\":\"yes\",\"key\":[\"k\"]}]"}`, string(entry.Value))
	require.NoError(t, comet.Remove[scope.User](t.Context(), client, usersName, testTokens, "bob"))
	entry, err = client.Read(t.Context(), usersName, testTokens.Read)
	require.NoError(t, err)
	assert.Equal(t, before, string(entry.Value))
}

// A reading that failed, or found nothing, is never saved back: that is how whole lists of users were lost.
func TestUpdateWritesNothingAfterAReadingThatFailed(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	edited := func(*scope.List) error {
		t.Error("edited what was not read")
		return nil
	}
	require.ErrorIs(t, client.Update(t.Context(), usersName, testTokens, edited), comet.ErrNotFound)

	_, err := client.Write(t.Context(), usersName, testTokens, scope.Encode(scope.User{Login: "root", Sudo: "no"}))
	require.NoError(t, err)
	writes := heads.Calls(0, "writeScope")
	for fault, kind := range map[*comettest.Fault]error{
		ptr(comettest.Empty().On("readScope")):     comet.ErrNotFound,
		ptr(comettest.Status(500).On("readScope")): comet.ErrUnavailable,
		ptr(comettest.Page(200).On("readScope")):   comet.ErrUnavailable,
		ptr(comettest.Cut(10).On("readScope")):     comet.ErrUnavailable,
	} {
		heads.Set(0, *fault)
		require.ErrorIs(t, client.Update(t.Context(), usersName, testTokens, edited), kind)
	}
	heads.Set(0)
	wrong := errors.New("no")
	require.ErrorIs(t, client.Update(t.Context(), usersName, testTokens, func(*scope.List) error { return wrong }), wrong)
	_, err = client.Write(t.Context(), testName, testTokens, []byte(`"text"`))
	require.NoError(t, err)
	err = client.Update(t.Context(), testName, testTokens, edited)
	require.ErrorIs(t, err, comet.ErrConflict)
	var decode *scope.DecodeError
	require.ErrorAs(t, err, &decode)
	assert.Equal(t, writes+1, heads.Calls(0, "writeScope"))
	assert.Equal(t, []string{"root"}, logins(t, client))
}

func ptr[T any](v T) *T { return &v }

func TestUpdateThatChangesNothingWritesNothing(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	_, err := client.Write(t.Context(), usersName, testTokens, scope.Encode(scope.User{Login: "root", Sudo: "no", Keys: scope.KeyText{}}))
	require.NoError(t, err)
	require.NoError(t, client.Update(t.Context(), usersName, testTokens, putUser("root")))
	assert.Equal(t, 1, heads.Calls(0, "writeScope"))
}

// Whatever an attempt broke off with, the change is there in the end, once.
func TestUpdateSettlesWhatItCannotKnow(t *testing.T) {
	t.Run("deployed", func(t *testing.T) { updateSettles(t, server.WithoutExtensions()) })
	t.Run("ours", func(t *testing.T) { updateSettles(t) })
}

func updateSettles(t *testing.T, options ...server.Option) {
	heads := comettest.Start(t, 1, options...)
	client := heads.Client(comet.WithAttemptTimeout(shortly))
	require.NoError(t, client.Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
	for i, fault := range []comettest.Fault{comettest.StatusAfter(500), comettest.Status(500), comettest.HangAfter(), comettest.Cut(-1), comettest.Cut(5), comettest.Reset()} {
		heads.Set(0, fault.On("writeScope").Times(1))
		require.NoError(t, client.Update(t.Context(), usersName, testTokens, putUser(fmt.Sprintf("user%d", i))))
		require.Len(t, logins(t, client), i+1)
	}
}

// Somebody else, who read before we wrote, writes after us: our change is gone. The reading back finds that, and makes it again on
// top of theirs.
func TestUpdateMakesItsChangeAgainWhereItWasOverwritten(t *testing.T) {
	heads := comettest.Start(t, 1, server.WithoutExtensions())
	other := heads.Client()
	overwrite := sync.OnceFunc(func() { theirs(t, other) })
	client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
		if a.Op == "write" {
			overwrite()
		}
	}))
	require.NoError(t, other.Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
	require.NoError(t, client.Update(t.Context(), usersName, testTokens, putUser("ours")))
	assert.Equal(t, []string{"theirs", "ours"}, logins(t, client))
}

// theirs overwrites the entry with a user of somebody else's.
func theirs(t *testing.T, other *comet.Client) {
	_, err := other.Write(context.Background(), usersName, testTokens, scope.Encode(scope.User{Login: "theirs", Sudo: "no", Keys: scope.KeyText{}}))
	assert.NoError(t, err)
}

// Somebody else writes between our reading and our writing. A head with conditional changes refuses ours, and it is made again on top.
func TestUpdateOverwritesNobodyWhereTheHeadHelps(t *testing.T) {
	heads := comettest.Start(t, 1)
	other := heads.Client()
	between := sync.OnceFunc(func() { theirs(t, other) })
	client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
		if a.Op == "read" {
			between()
		}
	}))
	require.NoError(t, other.Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
	require.NoError(t, client.Update(t.Context(), usersName, testTokens, putUser("ours")))
	assert.Equal(t, []string{"theirs", "ours"}, logins(t, client))
	assert.Equal(t, 4, heads.Calls(0, "writeScope"), "created, theirs, ours refused, ours")
}

func TestUpdateGivesUpWhereOthersAlwaysWin(t *testing.T) {
	for op, options := range map[string][]server.Option{"write": {server.WithoutExtensions()}, "read": nil} {
		heads := comettest.Start(t, 1, options...)
		other := heads.Client()
		n := 0
		client := heads.Client(comet.WithObserver(func(a comet.Attempt) {
			if a.Op == op {
				n++
				_, err := other.Write(context.Background(), usersName, testTokens, fmt.Appendf(nil, `{"n":%d,"val_":"[]"}`, n))
				assert.NoError(t, err)
			}
		}))
		require.NoError(t, other.Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
		require.ErrorIs(t, client.Update(t.Context(), usersName, testTokens, putUser("ours")), comet.ErrConflict, op)
	}
}

// Several who add to one entry at once lose nothing, where the head helps.
func TestUpdatesSideBySideAllArrive(t *testing.T) {
	heads := comettest.Start(t, 2)
	require.NoError(t, heads.Client().Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
	var all sync.WaitGroup
	for who := range 3 {
		client := heads.Client()
		all.Go(func() {
			for i := range 10 {
				for {
					err := client.Update(context.Background(), usersName, testTokens, putUser(fmt.Sprintf("user%d.%d", who, i)))
					if errors.Is(err, comet.ErrConflict) {
						continue // the others won eight times
					}
					assert.NoError(t, err)
					break
				}
			}
		})
	}
	all.Wait()
	assert.Len(t, logins(t, heads.Client()), 30)
}

func TestCreateLeavesWhatIsThere(t *testing.T) {
	for name, options := range map[string][]server.Option{"deployed": {server.WithoutExtensions()}, "ours": nil} {
		t.Run(name, func(t *testing.T) {
			heads := comettest.Start(t, 1, options...)
			client := heads.Client()
			require.NoError(t, client.Create(t.Context(), testName, testTokens, testValue))
			require.ErrorIs(t, client.Create(t.Context(), testName, testTokens, []byte(`{"val_":"[1]"}`)), comet.ErrConflict)
			another := scope.Tokens{Read: testTokens.Read, Write: scope.NewToken()}
			require.ErrorIs(t, client.Create(t.Context(), testName, another, testValue), comet.ErrExists)
			entry, err := client.Read(t.Context(), testName, testTokens.Read)
			require.NoError(t, err)
			assert.Equal(t, testValue, entry.Value)

			heads.Set(0, comettest.StatusAfter(500).On("writeScope").Times(1))
			require.NoError(t, client.Create(t.Context(), usersName, testTokens, testValue), "the first attempt did it")
		})
	}
	heads := comettest.Start(t, 1, server.WithoutExtensions())
	heads.Set(0, comettest.Status(500).On("readScope"))
	require.ErrorIs(t, heads.Client().Create(t.Context(), usersName, testTokens, testValue), comet.ErrUnavailable)
	assert.Zero(t, heads.Calls(0, "writeScope"), "what could not be asked is not written")
}

// conditions is a store that counts the changes which were made whatever stood there.
type conditions struct {
	server.Store
	without atomic.Int64
}

func (c *conditions) Apply(ctx context.Context, changes ...server.Change) ([]server.Result, error) {
	for _, change := range changes {
		if !change.IfAbsent {
			c.without.Add(1)
		}
	}
	return c.Store.Apply(ctx, changes...)
}

// A head that did not say what it offers when it was first asked is not taken for one that offers nothing: somebody else's entry, come
// between a question and the write, would be overwritten.
func TestCreateKeepsItsConditionWhereNoHeadAnsweredAtFirst(t *testing.T) {
	inner, err := bolt.Open(filepath.Join(t.TempDir(), "comet.db"))
	require.NoError(t, err)
	t.Cleanup(func() { inner.Close() })
	store := &conditions{Store: inner}
	heads := comettest.StartOn(t, 1, store)
	heads.Set(0, comettest.Status(503).On("getVersion").Times(1))
	require.NoError(t, heads.Client().Create(t.Context(), testName, testTokens, testValue))
	heads.Set(0, comettest.Status(503).On("getVersion").Times(1))
	require.ErrorIs(t, heads.Client().Create(t.Context(), testName, testTokens, []byte(`{"val_":"[1]"}`)), comet.ErrExists)
	assert.Zero(t, store.without.Load())
}

// Where a head takes tokens in the header they are in no URL; where it does not, they are where deployed heads look for them.
func TestTokensTravelInTheHeaderWhereTheHeadTakesThem(t *testing.T) {
	for extensions, inQuery := range map[string]bool{`["headers/1"]`: false, `[]`: true} {
		head := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/getVersion" {
				io.WriteString(w, `{"status":"OK","value":{"Comet version":"x","Comet extensions":`+extensions+`}}`)
				return
			}
			assert.Equal(t, inQuery, r.URL.Query().Has("readToken"))
			assert.Equal(t, !inQuery, r.Header.Get("Comet-Read-Token") == "read%20Planted")
			io.WriteString(w, `{"status":"OK","value":{"Success":"x"}}`)
		}))
		t.Cleanup(head.Close)
		tokens := scope.Tokens{Read: scope.MustToken("read Planted"), Write: scope.MustToken("write/Planted")}
		_, err := clientOf(t, head.URL, head).Write(t.Context(), testName, tokens, testValue)
		require.NoError(t, err)
	}
}

func TestManyAndTyped(t *testing.T) {
	heads := comettest.Start(t, 2)
	client := heads.Client()
	slice := usersName.Context
	var items []comet.Item
	write := map[scope.Key]scope.Token{}
	for i := range 20 {
		key := scope.MustName("s", "hostsall", fmt.Sprintf("vm%02d", i)).Key
		tokens := scope.Tokens{Read: testTokens.Read, Write: scope.NewToken()}
		write[key] = tokens.Write
		host, pubkey := scope.Host{HostName: key.String()}, scope.PubKey{PublicKey: "ssh-ed25519 AAAA\n"}
		items = append(items,
			comet.Item{Name: scope.Name{Context: slice, Family: scope.MustFamily("hostsall"), Key: key}, Tokens: tokens, Value: scope.Encode(host)},
			comet.Item{Name: scope.Name{Context: slice, Family: scope.MustFamily("pubkeysall"), Key: key}, Tokens: tokens, Value: scope.Encode(pubkey)})
	}
	var lock sync.Mutex
	var seen []int
	require.NoError(t, client.WriteMany(t.Context(), items, comet.Bulk{Parallel: 8, Progress: func(done, total int) {
		lock.Lock()
		defer lock.Unlock()
		seen = append(seen, done)
		assert.Equal(t, 40, total)
	}}))
	assert.IsIncreasing(t, append([]int{0}, seen...))
	assert.Equal(t, 40, seen[len(seen)-1])

	hosts, err := client.Hosts(t.Context(), slice, "all", testTokens.Read)
	require.NoError(t, err)
	assert.Len(t, hosts, 20)
	keys, err := client.PubKeys(t.Context(), slice, "all", testTokens.Read)
	require.NoError(t, err)
	assert.Equal(t, []scope.PubKey{{PublicKey: "ssh-ed25519 AAAA\n"}}, keys[items[0].Name.Key])
	entries, err := client.ListMany(t.Context(), slice, []scope.Family{scope.MustFamily("pubkeysall"), scope.MustFamily("hostsall")}, testTokens.Read, comet.Bulk{})
	require.NoError(t, err)
	require.Len(t, entries, 40)
	assert.Equal(t, "pubkeysall", entries[0].Name.Family.String())

	// One VM's value that makes no sense spoils no other's.
	bad := items[0]
	_, err = client.Write(t.Context(), bad.Name, bad.Tokens, []byte(`{"val_":"[[]]"}`))
	require.NoError(t, err)
	hosts, err = client.Hosts(t.Context(), slice, "all", testTokens.Read)
	var decode *scope.DecodeError
	require.ErrorAs(t, err, &decode)
	assert.Contains(t, err.Error(), "vm00")
	assert.Len(t, hosts, 19)

	names := []scope.Name{items[2].Name, scope.MustName("s", "hostsall", "nobody"), items[4].Name}
	_, err = client.ReadMany(t.Context(), names, testTokens.Read, comet.Bulk{})
	require.ErrorIs(t, err, comet.ErrNotFound)
	some, err := client.ReadMany(t.Context(), names, testTokens.Read, comet.Bulk{All: true})
	require.ErrorIs(t, err, comet.ErrNotFound)
	require.Len(t, some, 3)
	assert.NotNil(t, some[0].Value)
	assert.Nil(t, some[1].Value)
	assert.NotNil(t, some[2].Value)

	last := items[39].Name.Key
	kept := write[last]
	delete(write, last)
	err = client.DeleteShown(t.Context(), slice, testTokens.Read, write, comet.Bulk{})
	require.ErrorIs(t, err, comet.ErrNoWriteToken)
	left, err := client.List(t.Context(), slice, scope.Family{}, testTokens.Read)
	require.NoError(t, err)
	assert.Len(t, left, 2, "both entries of the key without a token")
	require.NoError(t, client.DeleteShown(t.Context(), slice, testTokens.Read, map[scope.Key]scope.Token{last: kept}, comet.Bulk{}))
	left, err = client.List(t.Context(), slice, scope.Family{}, testTokens.Read)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestEachStopsOrGoesOn(t *testing.T) {
	wrong := errors.New("wrong")
	var lock sync.Mutex
	run := func(bulk comet.Bulk) (done int, err error) {
		bulk.Parallel = 1
		err = comet.Each(t.Context(), []int{0, 1, 2, 3}, bulk, func(_ context.Context, i int) error {
			lock.Lock()
			defer lock.Unlock()
			done++
			if i%2 == 1 {
				return fmt.Errorf("item %d: %w", i, wrong)
			}
			return nil
		})
		return done, err
	}
	done, err := run(comet.Bulk{})
	assert.Equal(t, 2, done)
	assert.EqualError(t, err, "item 1: wrong")
	done, err = run(comet.Bulk{All: true})
	assert.Equal(t, 4, done)
	assert.EqualError(t, err, "item 1: wrong\nitem 3: wrong")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, comet.Each(ended, []int{1}, comet.Bulk{}, func(ctx context.Context, _ int) error { return ctx.Err() }), context.Canceled)
	assert.NoError(t, comet.Each(t.Context(), nil, comet.Bulk{}, func(context.Context, int) error { return wrong }))
}

// What is under way is cancelled and nothing more begins, however many workers there are.
func TestEachBeginsNothingAfterAnError(t *testing.T) {
	const parallel = 4
	wrong := errors.New("wrong")
	var begun atomic.Int32
	err := comet.Each(t.Context(), make([]int, 1000), comet.Bulk{Parallel: parallel}, func(ctx context.Context, _ int) error {
		if begun.Add(1) == 1 {
			return wrong
		}
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorIs(t, err, wrong)
	assert.LessOrEqual(t, begun.Load(), int32(parallel))
}

// It is the head that is ill, not somebody else who changes the entry.
func TestUpdateSaysWhyItCannotWrite(t *testing.T) {
	heads := comettest.Start(t, 1)
	client := heads.Client()
	require.NoError(t, client.Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
	heads.Set(0, comettest.Status(500).On("writeScope"))
	err := client.Update(t.Context(), usersName, testTokens, putUser("bob"))
	require.ErrorIs(t, err, comet.ErrUnavailable)
	require.NotErrorIs(t, err, comet.ErrConflict)
}

func TestUpdatesOfOneClientDoNotGetInEachOthersWay(t *testing.T) {
	for _, options := range [][]server.Option{nil, {server.WithoutExtensions()}} {
		heads := comettest.Start(t, 1, options...)
		client := heads.Client()
		require.NoError(t, client.Create(t.Context(), usersName, testTokens, scope.Encode[scope.User]()))
		users := make([]string, 64)
		for i := range users {
			users[i] = fmt.Sprintf("user%d", i)
		}
		require.NoError(t, comet.Each(t.Context(), users, comet.Bulk{Parallel: len(users)}, func(ctx context.Context, u string) error {
			return client.Update(ctx, usersName, testTokens, putUser(u))
		}))
		assert.ElementsMatch(t, users, logins(t, client))
		assert.Equal(t, 1+len(users), heads.Calls(0, "writeScope"), "no write was in vain")
	}
}
