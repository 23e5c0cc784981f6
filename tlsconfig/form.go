package tlsconfig

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
)

// form is how a file is made up, told from its content alone: names lie (keytool writes PKCS#12 into files called .jks).
type form string

const (
	formUnknown form = "unknown"
	formEmpty   form = "empty"
	formPEM     form = "PEM"
	formDER     form = "DER certificate"
	formDERKey  form = "DER private key"
	formJKS     form = "JKS"
	formJCEKS   form = "JCEKS"
	formPKCS12  form = "PKCS#12"
	formPKCS7   form = "PKCS#7"
)

const (
	magicJKS   = 0xfeedfeed
	magicJCEKS = 0xcececece
)

// sizeCap bounds every file and byte slice that is parsed, in bytes. The CA bundle of a Linux distribution is a quarter of it.
const sizeCap = 1 << 20

// formOf tells the form of data.
func formOf(data []byte) form {
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return formEmpty
	case len(data) >= 4 && binary.BigEndian.Uint32(data) == magicJKS:
		return formJKS
	case len(data) >= 4 && binary.BigEndian.Uint32(data) == magicJCEKS:
		return formJCEKS
	case data[0] == 0x30 && formOfDER(data) != formUnknown:
		return formOfDER(data)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return formPEM
	}
	return formUnknown
}

// formOfDER tells apart what starts with an ASN.1 sequence, by the first element in it.
func formOfDER(data []byte) form {
	var outer, first, second asn1.RawValue
	if len(data) > 1 && data[1] == 0x80 {
		return formPKCS12 // indefinite length, BER: only PKCS#12 is met like that
	}
	if _, err := asn1.Unmarshal(data, &outer); err != nil {
		return formUnknown
	}
	rest, err := asn1.Unmarshal(outer.Bytes, &first)
	if err != nil {
		return formUnknown
	}
	if _, err := asn1.Unmarshal(rest, &second); err != nil {
		return formUnknown
	}
	switch {
	case first.Tag == asn1.TagOID:
		return formPKCS7
	case first.Tag == asn1.TagInteger && bytes.Equal(first.Bytes, []byte{3}) && second.Tag == asn1.TagSequence:
		return formPKCS12
	case first.Tag == asn1.TagInteger:
		return formDERKey
	case first.Tag == asn1.TagSequence && second.Tag == asn1.TagOctetString:
		return formDERKey // encrypted PKCS#8
	case first.Tag == asn1.TagSequence:
		return formDER
	}
	return formUnknown
}

// refuse explains a form that is not accepted where wanted was.
func refuse(f form, wanted string) error {
	switch f {
	case formEmpty:
		return fmt.Errorf("%w: it is empty; %s is wanted", ErrMalformed, wanted)
	case formJCEKS:
		return fmt.Errorf("%w: a JCEKS key store; convert it with: keytool -importkeystore -srckeystore FILE -srcstoretype JCEKS "+
			"-destkeystore FILE.p12 -deststoretype PKCS12", ErrUnsupported)
	case formPKCS7:
		return fmt.Errorf("%w: PKCS#7; convert it with: openssl pkcs7 -print_certs -in FILE -out FILE.pem (add -inform DER for a binary file)", ErrUnsupported)
	case formUnknown:
		return fmt.Errorf("%w: neither PEM, DER, JKS nor PKCS#12, or cut short; %s is wanted", ErrMalformed, wanted)
	}
	return fmt.Errorf("%w: %s here, but %s is wanted", ErrUnsupported, f, wanted)
}

// checkSize refuses what is larger than any real file of its kind.
func checkSize(data []byte) error {
	if len(data) > sizeCap {
		return fmt.Errorf("%w: larger than %d KiB", ErrMalformed, sizeCap>>10)
	}
	return nil
}

// guard turns a panic of a parser, ours or a library's, into an error: key stores may come from strangers.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: a parser gave up on it", ErrMalformed)
	}
}
