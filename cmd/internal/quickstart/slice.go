package quickstart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/renci-nrig/comet-go/comet/am"
	"github.com/renci-nrig/comet-go/comet/controller"
	"github.com/renci-nrig/comet-go/comet/orca"
	"github.com/renci-nrig/comet-go/scope"
	"github.com/renci-nrig/comet-go/testdata"
)

// createSlice puts the slice's files into the folder and its place-holders into COMET.
func (s *Story) createSlice(ctx context.Context) error {
	if err := copySlice(s.path("slice")); err != nil {
		return err
	}
	var err error
	if s.slice, err = orca.LoadSlice(s.path("slice", "slice.json")); err != nil {
		return err
	}
	return s.create(ctx)
}

// create puts down what the slice lacks of place-holders.
func (s *Story) create(ctx context.Context) error {
	created, err := s.controller().Create(ctx, s.path("tokens.json"), s.slice)
	if err != nil {
		return err
	}
	s.tokens = created.Tokens
	entries, err := s.conn.List(ctx, s.slice.ID, scope.Family{}, s.tokens.Read)
	if err != nil {
		return err
	}
	if want := 2 * len(s.slice.VMs); len(entries) != want {
		return fmt.Errorf("%d place-holders are there, not %d", len(entries), want)
	}
	s.tell("controller: %d place-holders for the %d VMs of slice %s", len(entries), len(s.slice.VMs), s.slice.ID)
	return nil
}

func (s *Story) controller() *controller.Controller {
	return controller.New(s.conn.Client, controller.Settings{Hosts: true, PubKeys: true})
}

func copySlice(to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	files, err := fs.ReadDir(testdata.Slice, "slice")
	if err != nil {
		return err
	}
	for _, f := range files {
		text, err := fs.ReadFile(testdata.Slice, path.Join("slice", f.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(path.Join(to, f.Name()), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// generate does the aggregate manager's part for all VMs.
func (s *Story) generate(ctx context.Context) error {
	for _, of := range s.slice.VMs {
		p, err := orca.LoadProperties(of.Properties)
		if err != nil {
			return err
		}
		if s.VMs != nil {
			p = without(p, "unit.storage") // whose targets are nowhere
		}
		if err := s.generateVM(ctx, of, p); err != nil {
			return err
		}
	}
	if s.VMs != nil {
		s.tell("aggregate manager: users, interfaces, routes and scripts of %d VMs", len(s.vms))
		return nil
	}
	if err := s.seeFamilies(ctx); err != nil {
		return err
	}
	s.tell("aggregate manager: users, interfaces, storage, routes and scripts of %d VMs, as they must be", len(s.vms))
	return nil
}

// seeFamilies holds what is in COMET against what must come of the unit properties: the *.families.json beside them.
func (s *Story) seeFamilies(ctx context.Context) error {
	for _, v := range s.vms {
		text, err := os.ReadFile(s.path("slice", v.HostName+".families.json"))
		if err != nil {
			return err
		}
		var want map[string][]any
		if err := json.Unmarshal(text, &want); err != nil {
			return err
		}
		for _, family := range scope.InstanceFamilies() {
			name := scope.Name{Context: s.slice.ID, Family: family, Key: v.ReservationID}
			entry, err := s.conn.Read(ctx, name, v.unit.Tokens.Read)
			if err != nil {
				return err
			}
			if got, err := elements(entry.Value); err != nil || !reflect.DeepEqual(got, want[family.String()]) {
				return errors.Join(fmt.Errorf("%s is not what the unit properties say", name), err)
			}
		}
	}
	return nil
}

// elements returns what a value's list holds.
func elements(value []byte) ([]any, error) {
	l, err := scope.ParseList(value)
	if err != nil {
		return nil, err
	}
	list := make([]any, l.Len())
	for i := range list {
		if err := json.Unmarshal(l.Raw(i), &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// generateVM does what the aggregate manager's handlers do one after the other: the user data comes first, before the VM exists, with
// tokens that are saved; what the VM needs is put down under those.
func (s *Story) generateVM(ctx context.Context, of orca.VM, p orca.Properties) error {
	unit, err := orca.NewUnit(p)
	if err != nil {
		return err
	}
	v := &vm{VM: of, dir: s.path("vms", of.HostName)}
	if err := os.MkdirAll(v.dir, 0o700); err != nil {
		return err
	}
	unit.Slice = s.controller().Access(s.slice, s.tokens, of)
	if unit.Tokens, err = am.OpenTokens(ctx, filepath.Join(v.dir, "saved.properties"), unit); err != nil {
		return err
	}
	v.unit = unit
	ca, err := os.ReadFile(s.certs.CA)
	if err != nil {
		return err
	}
	if v.told, err = am.UserData(unit, s.asReached(ca)); err != nil {
		return err
	}
	if err := v.told.Save(v.userData()); err != nil {
		return err
	}
	families, err := am.Generate(p)
	if err != nil {
		return err
	}
	if err := am.Publish(ctx, s.conn.Client, unit, families); err != nil {
		return err
	}
	s.vms = append(s.vms, v)
	if s.VMs != nil {
		return s.makeMachine(v, p)
	}
	return v.makeRoot()
}

// asReached says where VMs find the heads.
func (s *Story) asReached(ca []byte) am.Heads {
	if s.VMs != nil {
		return am.Heads{List: fmt.Sprintf("https://%s/,https://%s/", headAt(0), headAt(1)), CACert: ca, ServerName: headName}
	}
	return am.Heads{List: s.heads[0].url + "," + s.heads[1].url, CACert: ca}
}

// addVM extends the slice by a VM like the others while one head is away.
func (s *Story) addVM(ctx context.Context) error {
	like := s.slice.VMs[0]
	p, err := orca.LoadProperties(like.Properties)
	if err != nil {
		return err
	}
	added := like
	added.HostName = "workers-2"
	added.PublicIP = "152.54.14.33"
	if added.ReservationID, err = scope.ParseKey("0d1c5f0e-3b52-4d0f-9c86-7a3c0a5ce102"); err != nil {
		return err
	}
	s.slice.VMs = append(s.slice.VMs, added)
	if err := s.create(ctx); err != nil {
		return err
	}
	if err := s.generateVM(ctx, added, changed(p, map[string]string{
		"unit.rid": added.ReservationID.String(), "unit.id": "unit-3", "unit.hostname": added.HostName,
		"shirako.save.unit.manage.ip": added.PublicIP, "unit.eth2.ip": "172.16.1.12/24",
		"unit.eth2.mac": "fe:16:3e:00:26:cc", "unit.eth10.mac": "fe:16:3e:00:10:03",
	})); err != nil {
		return err
	}
	s.tell("aggregate manager: the families of %s, through the head that is left", added.HostName)
	return s.bringUp(ctx)
}

// changed returns properties with some values in place of others.
func changed(p orca.Properties, values map[string]string) orca.Properties {
	var list []orca.KeyValue
	for _, key := range p.Keys() {
		value, _ := p.Get(key)
		if v, ok := values[key]; ok {
			value = v
		}
		list = append(list, property(key, value))
	}
	return orca.NewProperties(list...)
}

// without returns properties but for those that begin so.
func without(p orca.Properties, prefix string) orca.Properties {
	var list []orca.KeyValue
	for _, key := range p.Keys() {
		if !strings.HasPrefix(key, prefix) {
			value, _ := p.Get(key)
			list = append(list, property(key, value))
		}
	}
	return orca.NewProperties(list...)
}

func property(key, value string) orca.KeyValue {
	return orca.KeyValue{Key: key, Value: scope.Hide(value)}
}

// withdraw ends the guests and takes everything away that was put down.
func (s *Story) withdraw(ctx context.Context) error {
	for _, v := range s.vms {
		if err := v.stop(); err != nil {
			return err
		}
	}
	if _, err := s.controller().Delete(ctx, s.path("tokens.json")); err != nil {
		return err
	}
	for _, v := range s.vms {
		if _, err := am.Remove(ctx, s.conn.Client, v.unit); err != nil {
			return err
		}
	}
	s.tell("controller and aggregate manager: everything withdrawn")
	return nil
}

// seeNothing looks with every token of the slice whether something is left.
func (s *Story) seeNothing(ctx context.Context) error {
	tokens := []scope.Token{s.tokens.Read}
	for _, v := range s.vms {
		tokens = append(tokens, v.unit.Tokens.Read)
	}
	var left []string
	for _, t := range tokens {
		entries, err := s.conn.List(ctx, s.slice.ID, scope.Family{}, t)
		if err != nil {
			return err
		}
		for _, e := range entries {
			left = append(left, e.Name.String())
		}
	}
	if len(left) > 0 {
		return errors.New("still there: " + strings.Join(left, ", "))
	}
	s.tell("nothing is left, whichever of the %d read tokens one looks with", len(tokens))
	return nil
}
