package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// tree is a set of documents by name. A metadata service and a config drive hold the same ones.
type tree struct {
	where    string   // stands before a document's name
	userData []string // documents that may be user data
	get      func(ctx context.Context, name string) ([]byte, error)
	facts    func(ctx context.Context) (facts, error)
}

// metadata is where OpenStack keeps what it knows of an instance.
const metadata = "openstack/latest/meta_data.json"

// facts are what clouds with EC2's interface know of an instance. Unknown ones are empty.
type facts struct {
	id              string
	public, private netip.Addr
}

// look finds user data, or else OpenStack's metadata. The ID belongs to the form, so that it stays the same wherever the form is found: that
// of EC2 with user data, the instance's uuid with metadata. It is no answer at all where part of it failed: with another ID the VM
// would be another one.
func (t tree) look(ctx context.Context) (Identity, error) {
	self, none := t.who(ctx)
	if none != nil && !errors.Is(none, ErrAbsent) {
		return Identity{}, none
	}
	f, err := t.facts(ctx)
	if err != nil {
		return Identity{}, err
	}
	self.Public, self.Private = f.public, f.private
	if self.InstanceID == "" {
		self.InstanceID = f.id
	}
	if none == nil && self.InstanceID == "" {
		self.InstanceID, none = t.uuid(ctx)
	}
	return self, none
}

// who takes the first document that is for us.
func (t tree) who(ctx context.Context) (Identity, error) {
	var reasons []string
	for _, name := range append(t.userData, metadata) {
		form := parseINI
		if name == metadata {
			form = parseMetadata
		}
		self, err := t.read(ctx, name, form)
		if err == nil || !errors.Is(err, ErrAbsent) {
			return self, err
		}
		reasons = append(reasons, err.Error())
	}
	return Identity{}, &noneError{strings.Join(reasons, "; ")}
}

// noneError has the reasons of all documents in it.
type noneError struct{ text string }

func (e *noneError) Error() string        { return e.text }
func (e *noneError) Is(target error) bool { return target == ErrAbsent }

// read reads a document and what form it has. What is out of bounds is not meant for us.
func (t tree) read(ctx context.Context, name string, form func([]byte) (Identity, error)) (Identity, error) {
	data, err := t.get(ctx, name)
	var self Identity
	switch {
	case err == nil:
		self, err = form(data)
	case errors.Is(err, errTooLong):
		err = absent(err.Error())
	}
	if err != nil {
		return Identity{}, fmt.Errorf("%s: %w", name, err)
	}
	self.Source = t.where + name
	return self, nil
}

// uuid is the instance's ID for OpenStack, whatever else its metadata says.
func (t tree) uuid(ctx context.Context) (string, error) {
	data, err := t.get(ctx, metadata)
	switch {
	case errors.Is(err, ErrAbsent):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("%s: %w", metadata, err)
	}
	if data, err = expand(data); err != nil {
		return "", fmt.Errorf("%s: %w", metadata, err)
	}
	return uuidIn(data), nil
}

// parseFacts takes what a cloud says of an instance, by the names of EC2. Errors do not quote it.
func parseFacts(text func(name string) (string, error)) (facts, error) {
	var f facts
	for _, fact := range []struct {
		name string
		set  func(string) error
	}{
		{"instance-id", f.setID},
		{"public-ipv4", func(s string) error { return setAddress(&f.public, s) }},
		{"local-ipv4", func(s string) error { return setAddress(&f.private, s) }},
	} {
		s, err := text(fact.name)
		if err == nil && s != "" {
			err = fact.set(s)
		}
		if err != nil && !errors.Is(err, ErrAbsent) {
			return facts{}, fmt.Errorf("%s: %w", fact.name, err)
		}
	}
	return f, nil
}

// maxID is how long the ID of an instance may be, in bytes. EC2's have 19, a uuid has 36.
const maxID = 255

func (f *facts) setID(s string) error {
	if len(s) > maxID || strings.Trim(s, plainCharacters+":/") != "" {
		return errors.New("is no ID of an instance")
	}
	f.id = s
	return nil
}

// setAddress leaves out an address that nobody could use.
func setAddress(to *netip.Addr, s string) error {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return errors.New("is no IP address")
	}
	if usable(a) {
		*to = a.Unmap()
	}
	return nil
}

// jsonFacts reads them out of a JSON object.
func jsonFacts(data []byte) (facts, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return facts{}, errors.New("is no JSON object")
	}
	return parseFacts(func(name string) (s string, err error) {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, &s) != nil {
			err = errors.New("is not text")
		}
		return strings.TrimSpace(s), err
	})
}
