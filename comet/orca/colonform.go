package orca

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/renci-nrig/comet-go/scope"
)

// The colon forms: what stands behind the key, in its order. Of all but storage the last field takes whatever colons are left.
const (
	formUsers      = "SUDO:KEYS"
	formInterfaces = "STATE:IPVERSION[:CIDR]"
	formStorage    = "TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH:FSTYPE:FSOPTIONS:FORMAT:MOUNTPOINT"
)

// ParseElement reads an element of a family from the colon form that handlers pass and that user data without heads holds: the key by
// which it is found, and a value of fields that are separated by colons. These are, for users SUDO:KEYS, for interfaces
// STATE:IPVERSION[:CIDR], for storage TYPE:IP:PORT:LUN:CHAPUSER:CHAPSECRET:ATTACH:FSTYPE:FSOPTIONS:FORMAT:MOUNTPOINT of which the last
// four may be missing, for routes the next hop, for scripts the body, byte for byte. A field that is one literal ${…} is unset. In storage
// a CHAP secret with a colon and an IPv6 address cannot be told from two fields.
//
// The element is not validated. The error says which form is wanted and never quotes a value.
func ParseElement(family scope.Family, key, value string) (scope.Element, error) {
	if Unset(value) || family != scope.FamilyScripts && strings.TrimSpace(value) == "" {
		return nil, errors.New("the value is not set")
	}
	switch family {
	case scope.FamilyUsers:
		return parseUser(key, value)
	case scope.FamilyInterfaces:
		return parseInterface(key, value)
	case scope.FamilyStorage:
		return parseStorage(key, value)
	case scope.FamilyRoutes:
		return scope.Route{Network: key, NextHop: Word(value)}, nil
	default:
		return scope.Script{Name: key, Body: scope.Hide(value)}, nil
	}
}

func parseUser(login, value string) (scope.Element, error) {
	sudo, keys, ok := strings.Cut(value, ":")
	if !ok {
		return nil, errors.New("the value is not " + formUsers)
	}
	list := scope.User{Keys: scope.KeyText{unset(keys)}}.PublicKeys()
	return scope.User{Login: login, Sudo: Word(sudo), Keys: list}, nil
}

func parseInterface(mac, value string) (scope.Element, error) {
	fields := strings.SplitN(value, ":", 3)
	if len(fields) < 2 {
		return nil, errors.New("the value is not " + formInterfaces)
	}
	fields = append(fields, "")
	return scope.Interface{MAC: scope.CanonicalMAC(mac), State: Word(fields[0]), IPVersion: Word(fields[1]), IP: unset(fields[2])}, nil
}

const (
	storageFields = 11
	storageLeast  = 7
)

func parseStorage(device, value string) (scope.Element, error) {
	fields := strings.Split(value, ":")
	if n := len(fields); n < storageLeast || n > storageFields {
		return nil, fmt.Errorf("the value has %d fields, not %d to %d, %s; what has a colon in it is given by flags", n, storageLeast, storageFields, formStorage)
	}
	fields = append(fields, slices.Repeat([]string{""}, storageFields-len(fields))...)
	secret := fields[5] // blanks around it may be part of it
	if Unset(secret) {
		secret = ""
	}
	return scope.Storage{
		Device: device, Type: Word(fields[0]), TargetIP: unset(fields[1]), TargetPort: unset(fields[2]), TargetLUN: cmp.Or(unset(fields[3]), "0"),
		ChapUser: unset(fields[4]), ChapSecret: scope.Hide(secret), ShouldAttach: cmp.Or(Word(fields[6]), "no"),
		FSType: unset(fields[7]), FSOptions: unset(fields[8]), ShouldFormat: cmp.Or(Word(fields[9]), "no"), MountPoint: unset(fields[10]),
	}, nil
}

// unset returns a field without the blanks around it, or nothing where a template left it unfilled.
func unset(field string) string {
	if field = strings.TrimSpace(field); Unset(field) {
		return ""
	}
	return field
}

// Word returns a field that is one word, such as yes or up, in lower case: handlers are seen to write Yes, and =no where they mean no.
func Word(field string) string { return strings.ToLower(unset(strings.TrimPrefix(unset(field), "="))) }
