package tlsconfig

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/youmark/pkcs8"
)

// keyCap bounds a private key, in bytes of DER; RSA with 16384 bits takes 9 KiB.
const keyCap = 16 << 10

// parseKeyBlock opens one private key: PEM of any kind, or DER in a block of type "DER".
func parseKeyBlock(block *pem.Block, password Password) (any, error) {
	if len(block.Bytes) > keyCap {
		return nil, fmt.Errorf("%w: a private key of more than %d KiB", ErrMalformed, keyCap>>10)
	}
	switch {
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, fmt.Errorf("%w: an OpenSSH key; convert it with: ssh-keygen -p -m PEM -f FILE", ErrUnsupported)
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return decryptTraditional(block, password)
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Type == "DER" && isEncryptedPKCS8(block.Bytes):
		return decryptPKCS8(block.Bytes, password)
	}
	return parseKey(block.Bytes)
}

// parseKey reads the three plain forms. What crypto/x509 says about a key is left out of the error: only that it is not one.
func parseKey(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, fmt.Errorf("%w or %w private key: RSA, ECDSA and Ed25519 in PKCS#8, PKCS#1 or SEC1 are read", ErrMalformed, ErrUnsupported)
}

// decryptTraditional opens OpenSSL's encryption from before PKCS#8. crypto/x509 deprecates it for writing; such files exist.
func decryptTraditional(block *pem.Block, password Password) (any, error) {
	if password.IsZero() {
		return nil, errWantsPassword
	}
	//lint:ignore SA1019 files made this way exist
	der, err := x509.DecryptPEMBlock(block, []byte(password.Reveal()))
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, errKeyPassword
	}
	if err != nil {
		return nil, fmt.Errorf("%w encryption of the private key (%s); %s", ErrUnsupported, plain(err), reencrypt)
	}
	key, err := parseKey(der)
	if err != nil {
		return nil, errKeyPassword // one wrong password in 256 passes the padding check
	}
	return key, nil
}

// decryptPKCS8 opens an encrypted PKCS#8 key: PBES2 with pkcs8, the PKCS#12 kinds of PBES1 as a PKCS#12 key bag.
func decryptPKCS8(der []byte, password Password) (any, error) {
	if password.IsZero() {
		return nil, errWantsPassword
	}
	cost, err := workOf(der)
	if err != nil {
		return nil, err
	}
	if cost > workCap {
		return nil, errWork
	}
	key, _, err := pkcs8.ParsePrivateKey(der, []byte(password.Reveal()))
	if err == nil {
		return key, nil
	}
	if strings.Contains(err.Error(), "incorrect password") {
		return nil, errKeyPassword
	}
	if key, err := decryptKeyBag(oidShroudedKeyBag, der, password); err == nil || errors.Is(err, ErrPassword) {
		return key, err
	}
	return nil, fmt.Errorf("%w encryption of the private key (%s); %s", ErrUnsupported, strings.TrimPrefix(err.Error(), "pkcs8: "), reencrypt)
}

const reencrypt = "encrypt it anew with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out FILE.new"

var (
	errWantsPassword = fmt.Errorf("%w: the private key is encrypted and no password for it was given", ErrPassword)
	errKeyPassword   = fmt.Errorf("%w for the private key", ErrPassword)
)
