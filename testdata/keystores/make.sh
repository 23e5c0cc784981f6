#!/bin/sh
# Makes every key store and certificate of this folder anew, with the JDK's keytool (17) and OpenSSL (3.0). The results are kept; run this
# only to add one. index.json says what each file must load as, or why it must not. All passwords are in the open: nothing here is secret.
# Everything is valid for a hundred years, except the files named expired-* and future-*.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
long=36500
pw=storepass
find . -type f ! -name make.sh ! -name index.json -delete

kt() { keytool "$@" -noprompt 2>>"$work/keytool.log" || { tail -5 "$work/keytool.log" >&2; echo "keytool $*" >&2; exit 1; }; }
os() { openssl "$@" 2>>"$work/openssl.log" || { tail -5 "$work/openssl.log" >&2; echo "openssl $*" >&2; exit 1; }; }
# make STORE TYPE ALIAS KEYALG [keytool options]: a key with its self-signed certificate, subject CN=ALIAS
make() {
    store=$1 type=$2 alias=$3 alg=$4; shift 4
    kt -genkeypair -keystore "$store" -storetype "$type" -storepass "$pw" -alias "$alias" -keyalg "$alg" -dname "CN=$alias,O=COMET fixtures" -validity $long "$@"
}

# --- a CA, an intermediate and a leaf below it, EC P-256 -------------------------------------------------------------------------
os ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
os req -x509 -new -key "$work/ca.key" -sha256 -days $long -subj "/O=COMET fixtures/CN=fixture-ca" -out ca.pem
os x509 -in ca.pem -outform DER -out ca.der
sign() { # sign NAME EXTENSIONS CA-CERT CA-KEY [openssl options]
    name=$1 ext=$2 cacert=$3 cakey=$4; shift 4
    os req -new -key "$work/$name.key" -subj "/O=COMET fixtures/CN=$name" -out "$work/$name.csr"
    printf '%b' "$ext" >"$work/$name.ext"
    os x509 -req -in "$work/$name.csr" -CA "$cacert" -CAkey "$cakey" -CAcreateserial -CAserial "$work/serial" -days $long -extfile "$work/$name.ext" -out "$work/$name.pem" "$@"
}
leafext='basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
caext='basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n'
os ecparam -name prime256v1 -genkey -noout -out "$work/fixture-intermediate.key"
sign fixture-intermediate "$caext" ca.pem "$work/ca.key"
os ecparam -name prime256v1 -genkey -noout -out "$work/ec-leaf.key"
sign ec-leaf "$leafext" "$work/fixture-intermediate.pem" "$work/fixture-intermediate.key"
os genrsa -out "$work/rsa-leaf.key" 2048
sign rsa-leaf "$leafext" ca.pem "$work/ca.key"
os genpkey -algorithm ed25519 -out "$work/ed25519-leaf.key"
sign ed25519-leaf "$leafext" ca.pem "$work/ca.key"
cat "$work/ec-leaf.pem" "$work/fixture-intermediate.pem" >"$work/ec-chain.pem"

# --- CA files --------------------------------------------------------------------------------------------------------------------
{ echo "Root of the fixtures"; echo "===================="; cat ca.pem; echo; echo "and the one below:"; os x509 -in "$work/fixture-intermediate.pem" -text; } >ca-bundle-with-text.pem
cat ca.der >ca-two.der; os x509 -in "$work/fixture-intermediate.pem" -outform DER >>ca-two.der
{ printf '\357\273\277'; sed 's/$/\r/' ca.pem; } >ca-windows.pem
cp "$work/ec-leaf.key" ca-is-a-key.pem
printf '<html><body>404 not found</body></html>\n' >ca-is-a-page.pem
: >ca-empty.pem
os crl2pkcs7 -nocrl -certfile ca.pem -outform DER -out ca-pkcs7.p7b
head -c 300 ca.der >ca-cut-short.der
sed '3s/^..../AAAA/' ca.pem >ca-damaged.pem
os x509 -in ca.pem -trustout -out ca-trusted.pem

# --- JKS -------------------------------------------------------------------------------------------------------------------------
make rsa.jks JKS rsa RSA -keysize 2048
make ec.jks JKS ec EC -groupname secp256r1
make ec384.jks JKS ec384 EC -groupname secp384r1
make ed25519.jks JKS ed25519 Ed25519
make dsa.jks JKS dsa DSA -keysize 1024
make key-password.jks JKS key-password EC -groupname secp256r1 -keypass otherpass
make several.jks JKS first EC -groupname secp256r1
make several.jks JKS second EC -groupname secp256r1
make several.jks JKS third RSA -keysize 2048
make mixed.jks JKS owner EC -groupname secp256r1
kt -importcert -keystore mixed.jks -storetype JKS -storepass $pw -alias aaa-trusted -file ca.pem
os pkcs12 -export -in "$work/ec-chain.pem" -inkey "$work/ec-leaf.key" -certfile ca.pem -name chained -passout pass:$pw -out "$work/chain.p12"
kt -importkeystore -srckeystore "$work/chain.p12" -srcstoretype PKCS12 -srcstorepass $pw -destkeystore chain.jks -deststoretype JKS -deststorepass $pw
kt -importcert -keystore trust.jks -storetype JKS -storepass $pw -alias root -file ca.pem
kt -importcert -keystore trust.jks -storetype JKS -storepass $pw -alias intermediate -file "$work/fixture-intermediate.pem"
pw='pässwörd' ; make latin1-password.jks JKS latin1-password EC -groupname secp256r1
pw='пароль€' ; make cyrillic-password.jks JKS cyrillic-password EC -groupname secp256r1
pw=storepass
make jceks.jks JCEKS jceks EC -groupname secp256r1
make expired.jks JKS expired EC -groupname secp256r1 -startdate "2020/01/01 00:00:00" -validity 366
make future.jks JKS future EC -groupname secp256r1 -startdate "2120/01/01 00:00:00"
make "upper-case.jks" JKS Upper EC -groupname secp256r1
head -c 400 rsa.jks >cut-short.jks
os genrsa -out "$work/weak-leaf.key" 1024
sign weak-leaf "$leafext" ca.pem "$work/ca.key"
os pkcs12 -export -in "$work/weak-leaf.pem" -inkey "$work/weak-leaf.key" -name weak -passout pass:$pw -out "$work/weak.p12"
kt -importkeystore -srckeystore "$work/weak.p12" -srcstoretype PKCS12 -srcstorepass $pw -destkeystore weak-rsa1024.jks -deststoretype JKS -deststorepass $pw

# --- PKCS#12 ---------------------------------------------------------------------------------------------------------------------
make pkcs12-named.jks PKCS12 keytool-default EC -groupname secp256r1
make keytool-rsa.p12 PKCS12 keytool-rsa RSA -keysize 2048
make keytool-ed25519.p12 PKCS12 keytool-ed25519 Ed25519
make two-keys.p12 PKCS12 first EC -groupname secp256r1
make two-keys.p12 PKCS12 second Ed25519
kt -importcert -keystore two-keys.p12 -storetype PKCS12 -storepass $pw -alias aaa-trusted -file ca.pem
kt -importcert -keystore trusted-first.p12 -storetype PKCS12 -storepass $pw -alias aaa-trusted -file ca.pem
make trusted-first.p12 PKCS12 owner EC -groupname secp256r1
kt -importcert -keystore trust.p12 -storetype PKCS12 -storepass $pw -alias root -file ca.pem
kt -importcert -keystore trust.p12 -storetype PKCS12 -storepass $pw -alias intermediate -file "$work/fixture-intermediate.pem"
cp "$work/chain.p12" openssl3-chain.p12
os pkcs12 -export -in "$work/rsa-leaf.pem" -inkey "$work/rsa-leaf.key" -name rsa -passout pass:$pw -macalg sha512 -out openssl3-sha512mac.p12
os pkcs12 -export -legacy -in "$work/rsa-leaf.pem" -inkey "$work/rsa-leaf.key" -name rsa -passout pass:$pw -out openssl-legacy-rc2.p12
os pkcs12 -export -legacy -certpbe PBE-SHA1-3DES -in "$work/rsa-leaf.pem" -inkey "$work/rsa-leaf.key" -name rsa -passout pass:$pw -out openssl-legacy-3des.p12
os pkcs12 -export -in "$work/ec-leaf.pem" -inkey "$work/ec-leaf.key" -passout pass: -out openssl-empty-password.p12
os pkcs12 -export -legacy -in "$work/ec-leaf.pem" -inkey "$work/ec-leaf.key" -passout pass: -out openssl-legacy-empty-password.p12
os pkcs12 -export -in "$work/ec-leaf.pem" -inkey "$work/ec-leaf.key" -passout pass:$pw -nomac -out openssl-nomac.p12
os pkcs12 -export -in "$work/ec-leaf.pem" -inkey "$work/ec-leaf.key" -passout pass:$pw -keypbe NONE -certpbe NONE -out openssl-plain.p12
os pkcs12 -export -nocerts -inkey "$work/ec-leaf.key" -passout pass:$pw -out openssl-key-only.p12
os pkcs12 -export -nokeys -in ca.pem -passout pass:$pw -out openssl-ca-only.p12
os pkcs12 -export -in "$work/ec-leaf.pem" -inkey "$work/ec-leaf.key" -passout pass:$pw -iter 20000000 -nomaciter -out slow.p12 -certpbe NONE
os pkcs12 -export -in "$work/ed25519-leaf.pem" -inkey "$work/ed25519-leaf.key" -name ed -passout pass:'пароль€' -out openssl-cyrillic-password.p12
head -c 500 openssl3-chain.p12 >cut-short.p12

# --- PEM -------------------------------------------------------------------------------------------------------------------------
cp "$work/rsa-leaf.pem" rsa.pem
cp "$work/ec-chain.pem" ec-chain.pem
cp "$work/ed25519-leaf.pem" ed25519.pem
os x509 -in "$work/ec-leaf.pem" -outform DER -out ec.der
os rsa -in "$work/rsa-leaf.key" -traditional -out rsa-pkcs1.key
os pkcs8 -topk8 -nocrypt -in "$work/rsa-leaf.key" -out rsa-pkcs8.key
os ec -in "$work/ec-leaf.key" -out ec-sec1.key
os ecparam -name prime256v1 -out "$work/params.pem"; cat "$work/params.pem" ec-sec1.key >ec-sec1-with-parameters.key
os pkcs8 -topk8 -nocrypt -in "$work/ec-leaf.key" -outform DER -out ec-pkcs8.der
cp "$work/ed25519-leaf.key" ed25519.key
os pkcs8 -topk8 -v2 aes-256-cbc -in "$work/rsa-leaf.key" -passout pass:keypass -out rsa-aes256.key
os pkcs8 -topk8 -v2 des3 -in "$work/ec-leaf.key" -passout pass:keypass -out ec-des3.key
os pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512 -in "$work/ec-leaf.key" -passout pass:keypass -out ec-sha512prf.key
os pkcs8 -topk8 -scrypt -in "$work/ec-leaf.key" -passout pass:keypass -out ec-scrypt.key
os pkcs8 -topk8 -v1 PBE-SHA1-3DES -in "$work/rsa-leaf.key" -passout pass:keypass -out rsa-pbe3des.key
os pkcs8 -topk8 -v1 PBE-MD5-DES -provider legacy -provider default -in "$work/rsa-leaf.key" -passout pass:keypass -out rsa-md5des.key
os rsa -in "$work/rsa-leaf.key" -traditional -aes128 -passout pass:keypass -out rsa-dekinfo.key
os ec -in "$work/ec-leaf.key" -des3 -passout pass:keypass -out ec-dekinfo.key
cat "$work/ec-chain.pem" ec-sec1.key >cert-then-key.pem
cat ec-sec1.key ca.pem "$work/fixture-intermediate.pem" "$work/ec-leaf.pem" >key-then-ca-then-leaf.pem
os ecparam -name prime256v1 -genkey -noout -out other.key
os genrsa -out "$work/rsa512-leaf.key" 512
os req -x509 -new -key "$work/rsa512-leaf.key" -sha256 -days $long -subj "/O=COMET fixtures/CN=rsa512" -out rsa512.pem
os rsa -in "$work/rsa512-leaf.key" -traditional -out rsa512.key
os genrsa -out "$work/rsa-ca.key" 2048
os req -x509 -new -key "$work/rsa-ca.key" -sha256 -days $long -subj "/O=COMET fixtures/CN=rsa-ca" -out "$work/rsa-ca.pem"
sign rsa-leaf "$leafext" "$work/rsa-ca.pem" "$work/rsa-ca.key" -md5; cp "$work/rsa-leaf.pem" rsa-md5-signed.pem
ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/ssh"; cp "$work/ssh" openssh.key
chmod 0644 ./*
chmod 0755 make.sh
