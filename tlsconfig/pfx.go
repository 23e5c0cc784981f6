package tlsconfig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strconv"
	"sync"
)

// Object identifiers of RFC 7292 and RFC 8018, encoded.
var (
	oidData           = oid(1, 2, 840, 113549, 1, 7, 1)
	oidEncryptedData  = oid(1, 2, 840, 113549, 1, 7, 6)
	oidKeyBag         = oid(1, 2, 840, 113549, 1, 12, 10, 1, 1)
	oidShroudedKeyBag = oid(1, 2, 840, 113549, 1, 12, 10, 1, 2)
	oidCertBag        = oid(1, 2, 840, 113549, 1, 12, 10, 1, 3)
	oidX509           = oid(1, 2, 840, 113549, 1, 9, 22, 1)
	oidPBMAC1         = oid(1, 2, 840, 113549, 1, 5, 14)
	oidPBKDF2         = oid(1, 2, 840, 113549, 1, 5, 12)
	oidHMACSHA256     = oid(1, 2, 840, 113549, 2, 9)
	oidFriendlyName   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
)

// pfxParts is a PKCS#12 store taken apart as far as that goes without a password.
type pfxParts struct {
	sealed    bool     // it has a MAC
	encrypted [][]byte // safes (ContentInfo) that are encrypted as a whole; certificates, usually
	keys      []keyBag
	certs     [][]byte // bags in the open
}

// keyBag is one private key, encrypted by itself or plain.
type keyBag struct {
	alias       string
	kind, value []byte
}

type contentInfo struct {
	Raw     asn1.RawContent
	Type    asn1.RawValue
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

type safeBag struct {
	Raw        asn1.RawContent
	Kind       asn1.RawValue
	Value      asn1.RawValue  `asn1:"tag:0,explicit"`
	Attributes []bagAttribute `asn1:"set,optional"`
}

type bagAttribute struct {
	ID    asn1.ObjectIdentifier
	Value asn1.RawValue `asn1:"set"`
}

// readPFX takes a store apart and refuses one whose passwords would take more than seconds to derive.
func readPFX(data []byte) (*pfxParts, error) {
	var pfx struct {
		Version  int
		AuthSafe contentInfo
		MAC      asn1.RawValue `asn1:"optional"`
	}
	if err := whole(data, &pfx); err != nil {
		return nil, err
	}
	if !bytes.Equal(pfx.AuthSafe.Type.FullBytes, oidData) {
		return nil, fmt.Errorf("%w: a PKCS#12 store sealed by public key; make one sealed by password", ErrUnsupported)
	}
	var content []byte
	if err := whole(pfx.AuthSafe.Content.Bytes, &content); err != nil {
		return nil, err
	}
	var safes []contentInfo
	if err := whole(content, &safes); err != nil {
		return nil, err
	}
	parts := &pfxParts{sealed: len(pfx.MAC.FullBytes) > 0}
	if err := parts.addAll(safes); err != nil {
		return nil, err
	}
	return parts, parts.affordable(pfx.MAC.FullBytes)
}

func (p *pfxParts) addAll(safes []contentInfo) error {
	for _, safe := range safes {
		switch {
		case bytes.Equal(safe.Type.FullBytes, oidData):
			if err := p.addPlain(safe.Content.Bytes); err != nil {
				return err
			}
		case bytes.Equal(safe.Type.FullBytes, oidEncryptedData):
			p.encrypted = append(p.encrypted, safe.Raw)
		default:
			return fmt.Errorf("%w: a PKCS#12 store with a safe that no password opens", ErrUnsupported)
		}
	}
	return nil
}

// addPlain sorts the bags of a safe in the open: keys, each under its own encryption, and certificates. Others are passed over.
func (p *pfxParts) addPlain(content []byte) error {
	var octets []byte
	if err := whole(content, &octets); err != nil {
		return err
	}
	var bags []safeBag
	if err := whole(octets, &bags); err != nil {
		return err
	}
	for _, bag := range bags {
		switch kind := bag.Kind.FullBytes; {
		case bytes.Equal(kind, oidKeyBag), bytes.Equal(kind, oidShroudedKeyBag):
			p.keys = append(p.keys, keyBag{alias: bag.alias(len(p.keys) + 1), kind: kind, value: bag.Value.Bytes})
		case bytes.Equal(kind, oidCertBag):
			p.certs = append(p.certs, bag.Raw)
		}
	}
	return nil
}

// alias is the friendly name of a bag, or its number where it has none, as keytool shows it.
func (b safeBag) alias(number int) string {
	for _, attribute := range b.Attributes {
		var name string
		if attribute.ID.Equal(oidFriendlyName) && whole(attribute.Value.Bytes, &name) == nil && name != "" {
			return name
		}
	}
	return strconv.Itoa(number)
}

// affordable bounds the work that opening the safes takes.
func (p *pfxParts) affordable(mac []byte) error {
	var total int64
	for _, part := range append([][]byte{mac}, p.encrypted...) {
		cost, err := workOf(part)
		if err != nil {
			return err
		}
		if total += cost; total > workCap {
			return errWork
		}
	}
	return nil
}

// sealPFX puts safes together to a store under a MAC of our own (PBMAC1, RFC 9579; one round, nothing is protected by it). The
// library checks it against the same password and goes on to decrypt.
func sealPFX(password Password, safes ...[]byte) []byte {
	content := sequence(safes...)
	salt := octets([]byte("12345678"))
	kdf := sequence(oidPBKDF2, sequence(salt, integer(1), integer(sha256.Size), sequence(oidHMACSHA256)))
	key, err := pbkdf2.Key(sha256.New, password.Reveal(), []byte("12345678"), 1, sha256.Size)
	if err != nil { // only under FIPS rules, for such short parameters
		return nil
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(content)
	algorithm := sequence(oidPBMAC1, sequence(kdf, sequence(oidHMACSHA256)))
	return sequence(
		integer(3),
		sequence(oidData, explicit(octets(content))),
		sequence(sequence(algorithm, octets(mac.Sum(nil))), salt, integer(1)),
	)
}

// plainSafe is a safe in the open that holds bags.
func plainSafe(bags ...[]byte) []byte {
	return sequence(oidData, explicit(octets(sequence(bags...))))
}

// placeholders are the bags that satisfy a library which wants a key and a certificate in every store.
type placeholders struct{ key, cert []byte }

var placeholder = sync.OnceValue(func() placeholders {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	pkcs8, keyErr := x509.MarshalPKCS8PrivateKey(key)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, certErr := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if keyErr != nil || certErr != nil {
		return placeholders{}
	}
	return placeholders{
		key:  sequence(oidKeyBag, explicit(pkcs8)),
		cert: sequence(oidCertBag, explicit(sequence(oidX509, explicit(octets(der))))),
	}
})

// whole reads all of data into v.
func whole(data []byte, v any) error {
	rest, err := asn1.Unmarshal(data, v)
	if err != nil {
		return fmt.Errorf("%w PKCS#12 store: %s", ErrMalformed, plain(err))
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w PKCS#12 store: %d bytes too many", ErrMalformed, len(rest))
	}
	return nil
}
