package tlsconfig

import (
	"bytes"
	"encoding/asn1"
	"fmt"
)

// workCap bounds the rounds of key derivation that opening one file may take, a second or two of work. keytool and OpenSSL ask for
// ten thousand and less, the most careful advice for a million.
const workCap = 3_000_000

var errWork = fmt.Errorf("%w: opening it would take more than %d rounds of key derivation; make it anew with fewer", ErrUnsupported, workCap)

// workOf bounds the rounds that the key derivations described in der ask for, without doing them. PBKDF1, PBKDF2, scrypt and the MAC of
// PKCS#12 have their numbers in one sequence with a salt, which libraries take under more tags than one. So every integer anywhere counts
// as rounds: the others there are versions and lengths, and small.
func workOf(der []byte) (int64, error) { return workIn(der, 0) }

func workIn(der []byte, depth int) (int64, error) {
	const deepest = 16
	if depth > deepest {
		return 0, fmt.Errorf("%w: nested more than %d deep", ErrMalformed, deepest)
	}
	var total int64
	var counts []int64
	for len(der) > 0 {
		var element asn1.RawValue
		rest, err := asn1.Unmarshal(der, &element)
		if err != nil {
			return 0, fmt.Errorf("%w: %s", ErrMalformed, plain(err))
		}
		der = rest
		switch {
		case element.IsCompound:
			inner, err := workIn(element.Bytes, depth+1)
			if err != nil {
				return 0, err
			}
			total = min(total+inner, workCap+1)
		case element.Class == asn1.ClassUniversal && element.Tag == asn1.TagInteger:
			counts = append(counts, count(element.Bytes))
			total = min(total+counts[len(counts)-1], workCap+1)
		}
	}
	return min(total+scryptRounds(counts), workCap+1), nil
}

// scryptRounds weighs three integers in one sequence as the cost, block size and parallelism of scrypt, which multiply.
func scryptRounds(counts []int64) int64 {
	const blocks = 1 << 20 // of 128 bytes, the memory scrypt may take
	switch {
	case len(counts) < 3:
		return 0
	case counts[0]*counts[1] > blocks || counts[2] > 16:
		return workCap + 1
	}
	return counts[0] * counts[1] * counts[2]
}

// count reads an integer; a large one comes back as too much for anything.
func count(b []byte) int64 {
	if len(b) > 4 {
		return workCap + 1
	}
	var n int64
	for _, c := range b {
		n = n<<8 | int64(c)
	}
	return min(n, workCap+1)
}

func element(class, tag int, compound bool, parts ...[]byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: compound, Bytes: bytes.Join(parts, nil)})
	if err != nil { // a raw value has nothing to go wrong
		return nil
	}
	return der
}

func sequence(parts ...[]byte) []byte {
	return element(asn1.ClassUniversal, asn1.TagSequence, true, parts...)
}

func octets(b []byte) []byte { return element(asn1.ClassUniversal, asn1.TagOctetString, false, b) }

func explicit(b []byte) []byte { return element(asn1.ClassContextSpecific, 0, true, b) }

func integer(n byte) []byte { return element(asn1.ClassUniversal, asn1.TagInteger, false, []byte{n}) }

func oid(arcs ...int) []byte {
	der, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil { // the identifiers are constants of this package
		return nil
	}
	return der
}

// isEncryptedPKCS8 tells an EncryptedPrivateKeyInfo from the plain forms: it starts with an algorithm instead of a version.
func isEncryptedPKCS8(der []byte) bool {
	var info struct{ Algorithm, Data asn1.RawValue }
	_, err := asn1.Unmarshal(der, &info)
	return err == nil && info.Algorithm.Tag == asn1.TagSequence && info.Data.Tag == asn1.TagOctetString
}
