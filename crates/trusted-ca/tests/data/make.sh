#!/bin/sh
# Makes every file in this folder anew: see README.md. Needs OpenSSL 3's command line.
set -eu
cd "$(dirname "$0")"
export OPENSSL_CONF=/dev/null
DAYS=36500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# authority NAME SUBJECT: a self-signed CA with a P-256 key, valid for a hundred years.
authority() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
    openssl req -x509 -new -key "$work/$1.key" -sha256 -days $DAYS -subj "$2" -utf8 \
        -addext basicConstraints=critical,CA:TRUE \
        -addext keyUsage=critical,keyCertSign,cRLSign -out "$1.pem" -config /dev/stdin <<EOF
[req]
distinguished_name = dn
[dn]
EOF
}

authority alpha "/C=XX/O=Example/CN=Alpha Test CA"
authority beta "/C=XX/O=Example/CN=Beta Test CA"
authority gamma "/C=XX/O=Exämple/CN=Gamma Test CA"

# An empty revocation list by alpha.
: > "$work/index"
echo 01 > "$work/number"
cat > "$work/ca.cnf" <<EOF
[ca]
default_ca = alpha
[alpha]
database = $work/index
crlnumber = $work/number
default_md = sha256
default_crl_days = $DAYS
EOF
openssl ca -gencrl -config "$work/ca.cnf" -keyfile "$work/alpha.key" -cert alpha.pem \
    -out alpha.crl.pem

# beta with trust settings: good for TLS servers, not for mail.
openssl x509 -in beta.pem -trustout -addtrust serverAuth -addreject emailProtection \
    -setalias "Beta with settings" -out beta.trusted.pem

# Private keys that belong to nothing: plain in PKCS#8 and in the old form, in the old form with a
# cipher in its header (password "secret"), and in the encrypted PKCS#8 form.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
openssl ec -in key.pem -out key.traditional.pem
openssl ec -in key.pem -aes128 -passout pass:secret -out key.traditional-encrypted.pem
openssl pkcs8 -topk8 -in key.pem -passout pass:secret -v2 aes-128-cbc -iter 1 \
    -out key.pkcs8-encrypted.pem
chmod 644 ./*.pem
