#!/bin/sh
# Certificates and bundles, good and bad ones, in the directory where this is run: prepare.sh BUNDLE
set -eu
bundle=$1

root() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -keyout "$1.key" -out "$1.pem" -subj "/O=Example/CN=$1" \
        -addext keyUsage=critical,keyCertSign,cRLSign
}

root right
root wrong
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout server.key -out server.csr -subj /O=Example/CN=server
echo subjectAltName=DNS:localhost,IP:127.0.0.1 > server.ext
openssl x509 -req -in server.csr -CA right.pem -CAkey right.key -CAcreateserial -days 3650 \
    -extfile server.ext -out server.pem

# A list that revokes the server's certificate.
: > index.txt
echo 01 > crlnumber
cat > ca.cnf <<'END'
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 3650
END
ca() { openssl ca -config ca.cnf -cert right.pem -keyfile right.key "$@"; }
ca -revoke server.pem
ca -gencrl -out crl.pem

cat "$bundle" right.pem > both.pem
cat right.pem crl.pem > listed.pem
cat right.pem right.pem > twice.pem
openssl x509 -in right.pem -addtrust serverAuth -out trusted.pem
: > empty.pem
echo 'no certificate at all' > garbage.pem
# The end is cut off; in the middle of the second one a line is missing.
head -c 20000 "$bundle" > cut.pem
sed 40d "$bundle" > damaged.pem
mkdir directory
