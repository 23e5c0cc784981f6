// Package tlsconfig says how one is trusted: it turns certificates and keys in any form that ORCA and its operators have (DER, PEM, JKS,
// PKCS#12) into a *tls.Config for callers of COMET heads and for heads, and follows the files while the program runs.
//
//	live, err := tlsconfig.Open(tlsconfig.Files{CA: "DigiCertCA.der", KeyStore: "client.jks", KeyStorePassword: password}, tlsconfig.Names{})
//	if err != nil {
//		return err
//	}
//	defer live.Close()
//	transport := &http.Transport{TLSClientConfig: live.Client("comet.example.net:8111")}
//
// What a file is, its content tells, never its name. ParseCA, ParseKeyStore and ParseKeyPair read from bytes; Client and Server make fixed
// configurations; Open makes one that follows the files. NewAuthority and WriteDevelopment issue certificates for development and tests.
//
// The host that is dialled must be named by the head's certificate. Where heads are dialled by address and their certificates name hosts,
// Names says which; or that any name under the CA will do, which is refused under CAs that certify strangers.
//
// Errors name the file, what is wrong with it and what to do, and hold neither passwords nor keys. For errors.Is there are ErrPassword and
// its kin, for errors.As *ValidityError, *AuthorityError, *SignatureError, *NameError and *UsageError; in a handshake these come inside a
// *tls.CertificateVerificationError.
//
// Nothing about COMET's calls, heads or retries belongs here, and no other package of this module is imported.
package tlsconfig
