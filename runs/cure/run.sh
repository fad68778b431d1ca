#!/bin/bash
# The real nginx with the story's line, as it is and with the preload library: `nginx -t` with 1,000
# locations, ten reloads of a running master with 300, what the library says for itself, and what
# brkhole says of it. Writes nginx.json and said.txt beside this file; takes some ten minutes. As
# root; Debian: apt-get install nginx-light libnginx-mod-http-lua ca-certificates python3 strace
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$(readlink -f "$0")")/../.."
here=runs/cure
bundle=/etc/ssl/certs/ca-certificates.crt
# The name that the book gives it: it stands in what is recorded.
place=/tmp/brkhole
locations=1000
traced_locations=100

cargo build --release --quiet --package trusted-ca-preload --package brkhole
built=$(readlink -f "${CARGO_TARGET_DIR:-target}/release")
library=$built/libtrusted_ca_preload.so
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT

# Behind it the distribution's Python, not the shell script of a version manager.
PATH=/usr/bin:$PATH python3 "$here/measure.py" "$library" "$locations" "$raw/arms.json"

rm -rf "$place"
runs/brkhole/configuration.sh "$locations" "$place"
LD_PRELOAD=$library TRUSTED_CA_LOG=stderr \
    nginx -t -p "$place" -c nginx.conf -e error.log 2> "$raw/said.txt"
runs/brkhole/configuration.sh "$traced_locations" "$place"
cp "$library" "$place"
"$built/brkhole" trace --format json -o "$raw/trace.json" -- \
    env LD_PRELOAD="$place/libtrusted_ca_preload.so" \
    nginx -t -q -p "$place" -c nginx.conf -e error.log
rm -rf "$place"

lua=$(dpkg-query -W -f '${Version}' libnginx-mod-http-lua 2>/dev/null || echo unknown)
openssl=$(nginx -V 2>&1 | sed -n 's/^built with \(OpenSSL [^ ]*\).*/\1/p')
running=$(nginx -V 2>&1 | sed -n 's/.*(running with \(OpenSSL [^ ]*\).*/\1/p')
cat > "$raw/about.json" <<END
{
  "experiment": "cure",
  "environment": {
    "kernel": "$(uname -r)",
    "libc": "$(getconf GNU_LIBC_VERSION)",
    "nginx": "$(nginx -v 2>&1 | sed 's/^nginx version: //')",
    "lua_nginx_module": "$lua",
    "openssl": "${running:-$openssl}",
    "cpu": "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)",
    "bundle": { "path": "$bundle", "bytes": $(stat -Lc %s "$bundle"), "certificates": $(grep -c 'BEGIN CERT' "$bundle") }
  },
  "traced_locations": $traced_locations,
  "recorded": { "command": "runs/cure/run.sh", "date": "$(date +%Y-%m-%d)" }
}
END
python3 -c '
import json, sys
about, arms, trace = (json.load(open(name)) for name in sys.argv[1:])
print(json.dumps(about | arms | {"trace": trace}, indent=2))
' "$raw"/{about,arms,trace}.json > "$raw/nginx.json"
cp "$raw/nginx.json" "$raw/said.txt" "$here"
