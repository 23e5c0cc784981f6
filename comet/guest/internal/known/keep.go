package known

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/renci-nrig/comet-go/scope"
)

// kept is what is kept on disk of a context. Values are as heads gave them; there may be scripts and CHAP secrets among them.
type kept struct {
	Context  string       `json:"context"`
	Key      string       `json:"key"`
	Families []keptFamily `json:"families"`
}

type keptFamily struct {
	Family  string               `json:"family"`
	Own     bool                 `json:"own"` // one of those that are for the VM alone
	Missed  time.Time            `json:"missed,omitzero"`
	Entries map[string]keptEntry `json:"entries"`
}

type keptEntry struct {
	Value    string    `json:"value"`
	Long     bool      `json:"long,omitzero"`
	Modified time.Time `json:"modified,omitzero"`
}

// Keep passes what is believed to save, for a file that nobody but root may read, if there is anything new in it since it was saved last.
// What could not be saved is new still.
func (c *Context) Keep(save func(data []byte) error) error {
	data, news, err := c.believed()
	if err == nil && news {
		err = save(data)
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.dirty = true
	}
	return err
}

func (c *Context) believed() (data []byte, news bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil, false, nil
	}
	k := kept{Context: c.self.SliceID.String(), Key: c.self.ReservationID.String()}
	for where, f := range c.families {
		if f.believed == nil {
			continue
		}
		kf := keptFamily{Family: where.family.String(), Own: where.token == c.unit && where.token != c.slice, Missed: f.missed, Entries: map[string]keptEntry{}}
		for key, e := range f.believed {
			kf.Entries[key.String()] = keptEntry{string(e.value), e.value == nil, e.modified}
		}
		k.Families = append(k.Families, kf)
	}
	c.dirty = false
	data, err = json.Marshal(k)
	return data, true, err
}

// ErrNotKept says that data is not what Keep passed for this context.
var ErrNotKept = errors.New("is not what was kept of this context")

// Restore takes what Keep passed earlier, or nothing of it. It is called before Follow and Ask.
func (c *Context) Restore(data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var k kept
	if json.Unmarshal(data, &k) != nil || k.Context != c.self.SliceID.String() || k.Key != c.self.ReservationID.String() {
		return ErrNotKept
	}
	believed := make([]map[scope.Key]entry, len(k.Families))
	for i, kf := range k.Families { // all of it, or nothing
		believed[i] = map[scope.Key]entry{}
		for text, e := range kf.Entries {
			key, err := scope.ParseKey(text)
			if err != nil {
				return ErrNotKept
			}
			believed[i][key] = e.entry()
		}
	}
	for i, kf := range k.Families {
		name, err := scope.ParseFamily(kf.Family)
		token := c.slice
		if kf.Own {
			token = c.unit
		}
		if f := c.families[at{token, name}]; err == nil && f != nil { // else it is of a group that the VM has left
			f.believed, f.missed = believed[i], kf.Missed
		}
	}
	return nil
}

func (e keptEntry) entry() entry {
	if e.Long {
		return entry{nil, e.Modified}
	}
	return entry{[]byte(e.Value), e.Modified}
}
