package tlsconfig_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// jks writes a Java key store by hand, with whatever lengths the test wants.
type jks struct{ bytes.Buffer }

func newJKS(version, entries uint32) *jks {
	j := &jks{}
	return j.u32(0xfeedfeed).u32(version).u32(entries)
}

func (j *jks) u32(n uint32) *jks { return j.raw(binary.BigEndian.AppendUint32(nil, n)) }

func (j *jks) raw(b []byte) *jks { j.Write(b); return j }

func (j *jks) text(s string) *jks {
	return j.raw(binary.BigEndian.AppendUint16(nil, uint16(len(s)))).raw([]byte(s))
}

func (j *jks) date() *jks { return j.raw(make([]byte, 8)) }

// sealed ends the store with the digest that belongs to it under the password, so that nothing but its inside is wrong.
func (j *jks) sealed(password string) []byte {
	h := sha1.New()
	for _, c := range []byte(password) {
		h.Write([]byte{0, c})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(j.Bytes())
	return append(bytes.Clone(j.Bytes()), h.Sum(nil)...)
}

func encryptedKey(n int) []byte {
	der, _ := asn1.Marshal(struct {
		Algorithm struct{ ID asn1.ObjectIdentifier }
		Data      []byte
	}{struct{ ID asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}}, make([]byte, n)})
	return der
}

func hostileStores() map[string][]byte {
	key := func(encrypted []byte, chain uint32) *jks {
		return newJKS(2, 1).u32(1).text("k").date().u32(uint32(len(encrypted))).raw(encrypted).u32(chain)
	}
	crowd := newJKS(2, 60_000)
	for range 60_000 {
		crowd.u32(2).text("").date().text("").u32(0)
	}
	dup := newJKS(2, 2)
	for range 2 {
		dup.u32(2).text("same").date().text("X.509").u32(3).raw([]byte("abc"))
	}
	deep := []byte{0x30, 0}
	for range 5000 {
		deep, _ = asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: deep})
	}
	return map[string][]byte{
		"only the magic":                newJKS(2, 0).Bytes()[:4],
		"no digest":                     newJKS(2, 0).Bytes(),
		"version 3":                     newJKS(3, 0).sealed("p"),
		"four billion entries":          newJKS(2, 0xffffffff).sealed("p"),
		"entry of an unknown kind":      newJKS(2, 1).u32(9).text("x").date().sealed("p"),
		"alias longer than the file":    newJKS(2, 1).u32(1).raw([]byte{0xff, 0xff, 'x'}).sealed("p"),
		"key of four gigabytes":         newJKS(2, 1).u32(1).text("k").date().u32(0xffffffff).sealed("p"),
		"chain of four billion":         key(encryptedKey(80), 0xfffffff0).sealed("p"),
		"chain of none":                 key(encryptedKey(80), 0).sealed("p"),
		"key shorter than its salt":     key(encryptedKey(10), 0).sealed("p"),
		"key of salt and digest alone":  key(encryptedKey(40), 0).sealed("p"),
		"key that is not one":           key([]byte("garbage"), 0).sealed("p"),
		"key with more behind":          key(append(encryptedKey(80), 1, 2), 0).sealed("p"),
		"key of a hundred kilobytes":    key(encryptedKey(100<<10), 0).sealed("p"),
		"certificate of four gigabytes": newJKS(2, 1).u32(2).text("c").date().text("X.509").u32(0xffffffff).sealed("p"),
		"certificate of nonsense":       newJKS(2, 1).u32(2).text("c").date().text("X.509").u32(3).raw([]byte("abc")).sealed("p"),
		"a megabyte of entries":         crowd.sealed("p"),
		"one alias twice":               dup.sealed("p"),
		"more than a megabyte":          newJKS(2, 0).raw(make([]byte, 1<<20)).sealed("p"),
		"more behind the digest":        append(newJKS(2, 0).sealed("p"), 1),
		"ASN.1 five thousand deep":      deep,
		"ASN.1 longer than the file":    {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, 3},
		"BER of indefinite length":      {0x30, 0x80, 2, 1, 3, 0x30, 0x80, 0, 0, 0, 0},
		"PKCS#12 of nothing":            {0x30, 0x05, 2, 1, 3, 0x30, 0},
		"nothing but begins":            bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 1<<15),
		"nothing but opening dashes":    bytes.Repeat([]byte("-----BEGIN "), 1<<16),
		"one long line":                 append([]byte("-----BEGIN CERTIFICATE-----\n"), bytes.Repeat([]byte("A"), 1<<19)...),
		"a DER prefix":                  {0x30},
		"zero bytes":                    make([]byte, 1<<16),
	}
}

// TestHostileStores: every one is an error, whoever reads it, and costs little memory.
func TestHostileStores(t *testing.T) {
	password := tlsconfig.NewPassword("p")
	for what, data := range hostileStores() {
		t.Run(what, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := tlsconfig.ParseKeyStore(data, "", password, tlsconfig.Password{})
			require.Error(t, err)
			_, err = tlsconfig.ParseKeyStore(data, "k", password, tlsconfig.Password{})
			require.Error(t, err)
			_, err = tlsconfig.ParseCA(data, password)
			require.Error(t, err)
			_, err = tlsconfig.ParseKeyPair(data, data, password)
			require.Error(t, err)
			require.Less(t, len(err.Error()), 1000)
			runtime.ReadMemStats(&after)
			require.Less(t, (after.TotalAlloc-before.TotalAlloc)>>20, uint64(200), "MiB")
		})
	}
}

// TestHostileKeys: encrypted keys whose parameters ask for hours or gigabytes, or do not fit together.
func TestHostileKeys(t *testing.T) {
	cert := fixtureBytes(t, "ec-chain.pem")
	seal := func(kind asn1.ObjectIdentifier, kdf any, iv, data []byte) []byte {
		type algorithm struct {
			ID         asn1.ObjectIdentifier
			Parameters any
		}
		der, err := asn1.Marshal(struct {
			Algorithm any
			Data      []byte
		}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, struct{ KDF, Cipher algorithm }{
			algorithm{kind, kdf}, algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, iv},
		}}, data})
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})
	}
	pbkdf2 := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	scrypt := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	type rounds struct {
		Salt  []byte
		Count int
	}
	type memory struct {
		Salt    []byte
		N, R, P int
	}
	salt, iv, data := []byte("12345678"), make([]byte, 16), make([]byte, 64)
	for what, c := range map[string]struct {
		key  []byte
		says string
	}{
		"billions of rounds":    {seal(pbkdf2, rounds{salt, 1 << 40}, iv, data), "rounds of key derivation"},
		"gigabytes of scrypt":   {seal(scrypt, memory{salt, 1 << 24, 8, 1}, iv, data), "rounds of key derivation"},
		"parallel scrypt":       {seal(scrypt, memory{salt, 1 << 10, 8, 1 << 20}, iv, data), "rounds of key derivation"},
		"scrypt of no blocks":   {seal(scrypt, memory{salt, 1024, 0, 0}, iv, data), ""},
		"short IV":              {seal(pbkdf2, rounds{salt, 1}, iv[:3], data), ""},
		"half a block":          {seal(pbkdf2, rounds{salt, 1}, iv, data[:7]), ""},
		"no data":               {seal(pbkdf2, rounds{salt, 1}, iv, nil), ""},
		"negative rounds":       {seal(pbkdf2, rounds{salt, -5}, iv, data), ""},
		"a key of 100 KiB":      {seal(pbkdf2, rounds{salt, 1}, iv, make([]byte, 100<<10)), "more than 16 KiB"},
		"DEK-Info without IV":   {[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), "openssl pkcs8"},
		"DEK-Info of no cipher": {[]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ROT13,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), "openssl pkcs8"},
		"a thousand keys":       {[]byte(strings.Repeat(string(seal(pbkdf2, rounds{salt, 1000}, iv, data)), 1000)), ""},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := tlsconfig.ParseKeyPair(cert, c.key, tlsconfig.NewPassword("p"))
			require.ErrorContains(t, err, c.says)
		})
	}
}

// TestCutAndBent: every beginning of a good store, and every one with a bit turned, is an error or still the right key.
func TestCutAndBent(t *testing.T) {
	password := tlsconfig.NewPassword("storepass")
	for _, name := range []string{"chain.jks", "key-password.jks"} {
		data := fixtureBytes(t, name)
		for n := range data {
			_, err := tlsconfig.ParseKeyStore(data[:n], "", password, password)
			require.Error(t, err)
			bent := bytes.Clone(data)
			bent[n] ^= 1 << (n % 8)
			_, err = tlsconfig.ParseKeyStore(bent, "", password, tlsconfig.Password{})
			require.Error(t, err, "the digest covers everything")
		}
	}
	data := fixtureBytes(t, "openssl-plain.p12")
	for n := range data {
		_, err := tlsconfig.ParseKeyStore(data[:n], "", password, password)
		require.Error(t, err)
		if n%5 == 0 {
			bent := bytes.Clone(data)
			bent[n] ^= 1 << (n % 8)
			if identity, err := tlsconfig.ParseKeyStore(bent, "", password, password); err == nil {
				requireOwnKey(t, identity)
			}
		}
	}
}
