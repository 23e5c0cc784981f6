package tlsconfig_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/asn1"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/renci-nrig/comet-go/tlsconfig"
)

// Identifier octets of DER.
const (
	tagInteger  = 0x02
	tagOctets   = 0x04
	tagSequence = 0x30
	tagExplicit = 0xa0
)

// tlv writes one element of DER under any identifier octet.
func tlv(tag byte, parts ...[]byte) []byte {
	der, err := asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), IsCompound: tag&0x20 != 0, Tag: int(tag & 0x1f), Bytes: slices.Concat(parts...)})
	if err != nil {
		panic(err)
	}
	return der
}

func object(arcs ...int) []byte {
	der, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil {
		panic(err)
	}
	return der
}

var (
	idData          = object(1, 2, 840, 113549, 1, 7, 1)
	idEncryptedData = object(1, 2, 840, 113549, 1, 7, 6)
	idShroudedKey   = object(1, 2, 840, 113549, 1, 12, 10, 1, 2)
	idPBES2         = object(1, 2, 840, 113549, 1, 5, 13)
	idPBMAC1        = object(1, 2, 840, 113549, 1, 5, 14)
	idPBKDF2        = object(1, 2, 840, 113549, 1, 5, 12)
	idHMACSHA256    = object(1, 2, 840, 113549, 2, 9)
	idAES256        = object(2, 16, 840, 1, 101, 3, 4, 1, 42)
)

var (
	hostileSalt   = []byte("12345678")
	hostileRounds = tlv(tagInteger, []byte{1, 0, 0, 0, 0, 0}) // 2^40
	oneRound      = tlv(tagInteger, []byte{1})
)

// derivation is PBKDF2 with the given salt element, rounds, and whatever follows.
func derivation(parts ...[]byte) []byte {
	return tlv(tagSequence, idPBKDF2, tlv(tagSequence, parts...))
}

func pbes2(kdf []byte) []byte {
	return tlv(tagSequence, idPBES2, tlv(tagSequence, kdf, tlv(tagSequence, idAES256, tlv(tagOctets, make([]byte, aes.BlockSize)))))
}

// pfx is a PKCS#12 store of safes; mac is all of its MacData, or nothing.
func pfx(mac []byte, safes ...[]byte) []byte {
	content := tlv(tagExplicit, tlv(tagOctets, tlv(tagSequence, safes...)))
	return tlv(tagSequence, tlv(tagInteger, []byte{3}), tlv(tagSequence, idData, content), mac)
}

func safeInTheOpen(bags ...[]byte) []byte {
	return tlv(tagSequence, idData, tlv(tagExplicit, tlv(tagOctets, tlv(tagSequence, bags...))))
}

func safeEncrypted(algorithm, data []byte) []byte {
	info := tlv(tagSequence, idData, algorithm, tlv(0x80, data))
	return tlv(tagSequence, idEncryptedData, tlv(tagExplicit, tlv(tagSequence, tlv(tagInteger, []byte{0}), info)))
}

func shroudedKey(kdf []byte) []byte {
	return tlv(tagSequence, idShroudedKey, tlv(tagExplicit, tlv(tagSequence, pbes2(kdf), tlv(tagOctets, make([]byte, 64)))))
}

// TestHostileRounds: stores that ask for 2^40 rounds, in each place and disguise, are refused before the first.
func TestHostileRounds(t *testing.T) {
	const years = "rounds of key derivation"
	hmac, zero := tlv(tagSequence, idHMACSHA256), tlv(tagInteger, []byte{0})
	for disguise, kdf := range map[string][]byte{
		"plain":                        derivation(tlv(tagOctets, hostileSalt), hostileRounds, tlv(tagInteger, []byte{32}), hmac),
		"salt in pieces":               derivation(tlv(tagOctets|0x20, tlv(tagOctets, hostileSalt)), hostileRounds, tlv(tagInteger, []byte{32}), hmac),
		"salt under a context tag":     derivation(tlv(0x84, hostileSalt), hostileRounds, tlv(tagInteger, []byte{32}), hmac),
		"pieces under a context tag":   derivation(tlv(0xa4, tlv(tagOctets, hostileSalt)), hostileRounds, tlv(tagInteger, []byte{32}), hmac),
		"salt under a private tag":     derivation(tlv(0xc4, hostileSalt), hostileRounds, tlv(tagInteger, []byte{32}), hmac),
		"times zero, as scrypt counts": derivation(tlv(tagOctets, hostileSalt), hostileRounds, zero, zero),
	} {
		digest := tlv(tagSequence, tlv(tagSequence, idPBMAC1, tlv(tagSequence, kdf, hmac)), tlv(tagOctets, make([]byte, sha256.Size)))
		for place, data := range map[string][]byte{
			"MAC":            pfx(tlv(tagSequence, digest, tlv(tagOctets, hostileSalt), oneRound)),
			"encrypted safe": pfx(nil, safeEncrypted(pbes2(kdf), make([]byte, 64))),
			"key":            pfx(nil, safeInTheOpen(shroudedKey(kdf))),
		} {
			t.Run(place+" "+disguise, func(t *testing.T) {
				password := tlsconfig.NewPassword("p")
				_, err := tlsconfig.ParseKeyStore(data, "", password, tlsconfig.Password{})
				require.ErrorIs(t, err, tlsconfig.ErrUnsupported)
				require.ErrorContains(t, err, years)
				_, err = tlsconfig.ParseCA(data, password)
				require.Error(t, err)
			})
		}
	}
}

// TestHostileKeyAmongCertificates: a key that shows only once the certificates are decrypted is refused without its own rounds.
func TestHostileKeyAmongCertificates(t *testing.T) {
	bags := tlv(tagSequence, shroudedKey(derivation(tlv(tagOctets, hostileSalt), hostileRounds)))
	padding := aes.BlockSize - len(bags)%aes.BlockSize
	for range padding {
		bags = append(bags, byte(padding))
	}
	key, err := pbkdf2.Key(sha256.New, "p", hostileSalt, 1, 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(bags, bags)

	kdf := derivation(tlv(tagOctets, hostileSalt), oneRound, tlv(tagSequence, idHMACSHA256))
	data := pfx(nil, safeEncrypted(pbes2(kdf), bags))
	password := tlsconfig.NewPassword("p")
	_, err = tlsconfig.ParseKeyStore(data, "", password, tlsconfig.Password{})
	require.ErrorIs(t, err, tlsconfig.ErrUnsupported)
	require.ErrorContains(t, err, "key bag", "it was opened so far")
	_, err = tlsconfig.ParseCA(data, password)
	require.ErrorIs(t, err, tlsconfig.ErrUnsupported)
}
