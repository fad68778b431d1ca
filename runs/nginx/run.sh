#!/bin/bash
# Real nginx with 100 empty locations. `nginx -t` with and without the line: time, peak memory and
# opens of the bundle; with the line, five reloads of a daemon and of a master in the foreground.
# Writes nginx.json beside this file, and two comparisons of `nginx -t` with the break free and
# blocked: compare.json, and compare-our-openssl.json with the OpenSSL that the reproducers are built
# with in place of its own. As root; Debian: apt-get install nginx-light libnginx-mod-http-lua strace time gcc
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$(readlink -f "$0")")/../.."
here=runs/nginx
locations=100
repeats=5
reloads=5
bundle=/etc/ssl/certs/ca-certificates.crt
modules=${NGINX_MODULES:-/usr/lib/nginx/modules}
# The name stands in what is recorded.
place=/tmp/brkhole
rm -rf "$place"
mkdir "$place"
# shellcheck source=runs/running-nginx.sh
. runs/running-nginx.sh
master=
trap 'rm -rf "$place"; [ -z "$master" ] || kill "$master"' EXIT

cargo build --release --quiet --package brkhole
cargo build --release --quiet --package repro
target=$(readlink -f "${CARGO_TARGET_DIR:-target}/release")
PATH=$target:$PATH

# The archives that the reproducers are linked with, as libraries of the names that nginx looks for.
# They have no symbol versions, which the loader notes and puts up with.
our_openssl() { # DIRECTORY
    local archives
    archives=$(dirname "$(ls -t "$target"/build/openssl-sys-*/out/openssl-build/install/lib/libssl.a | head -1)")
    mkdir "$1"
    gcc -shared -o "$1/libcrypto.so.3" -Wl,-soname,libcrypto.so.3,-Bsymbolic \
        -Wl,--whole-archive "$archives/libcrypto.a" -Wl,--no-whole-archive
    gcc -shared -o "$1/libssl.so.3" -Wl,-soname,libssl.so.3,-Bsymbolic \
        -Wl,--whole-archive "$archives/libssl.a" -Wl,--no-whole-archive "$1/libcrypto.so.3"
}

running_openssl() {
    nginx -V 2>&1 | sed -n 's/.*(running with \(OpenSSL [^ ]*\).*/\1/p; s/^built with \(OpenSSL [^ ]*\).*/\1/p' | tail -1
}

configuration() {
    echo "load_module $modules/ndk_http_module.so;"
    echo "load_module $modules/ngx_http_lua_module.so;"
    echo "pid $place/nginx.pid;"
    echo "events {}"
    echo "http { access_log off;"
    [ "$1" = without ] || echo "    lua_ssl_trusted_certificate $bundle;"
    echo "    server { listen 127.0.0.1:18080;"
    for number in $(seq "$locations"); do
        echo "        location /$number { }"
    done
    echo "    }"
    echo "}"
}

# One run: seconds, bytes of peak memory, opens of the bundle (those under strace, the rest without).
one_run() {
    local test=(nginx -t -q -p "$place" -c "$place/$1.conf" -e "$place/error.log")
    local begun=${EPOCHREALTIME/./}
    # What time(1) calls the maximum can be no less than time's own 2 MiB, which is out of the way.
    /usr/bin/time -f %M -o "$place/peak" "${test[@]}"
    local microseconds=$((${EPOCHREALTIME/./} - begun))
    local kibibytes opens
    kibibytes=$(cat "$place/peak")
    strace -f -e trace=open,openat -o "$place/opens" "${test[@]}"
    opens=$(grep -cF "$bundle" "$place/opens" || true)
    printf '        { "wall_seconds": %s, "peak_rss_bytes": %d, "opens": %d }' \
        "$((microseconds / 1000000)).$(printf %06d $((microseconds % 1000000)))" \
        $((kibibytes * 1024)) "$opens"
}

arm() {
    configuration "$1" > "$place/$1.conf"
    printf '    {\n      "name": "%s",\n      "runs": [\n' "$1"
    for repeat in $(seq "$repeats"); do
        one_run "$1"
        [ "$repeat" = "$repeats" ] && echo || echo ,
    done
    printf '      ]\n    }'
}

rss_bytes() {
    awk '/^Rss:/ { print $2 * 1024 }' "/proc/$master/smaps_rollup"
}

# A master's life: its memory after the start, after each reload, and after malloc_trim.
life() { # NAME
    local before reload
    printf '    { "name": "%s", "started_rss_bytes": %d, "reloaded": [\n' "$1" "$(rss_bytes)"
    for reload in $(seq "$reloads"); do
        before=$(workers "$master")
        kill -HUP "$master"
        nginx_has_reloaded "$before"
        sleep 1
        printf '        { "rss_bytes": %d }' "$(rss_bytes)"
        [ "$reload" = "$reloads" ] && echo || echo ,
    done
    brkhole trim "$master" > "$place/trimmed.txt"
    printf '      ], "trimmed_rss_bytes": %d }' "$(rss_bytes)"
    stop_nginx
}

daemon_and_foreground() {
    start_nginx
    life daemon
    echo ,
    rm -f "$place/nginx.pid"
    nginx -p "$place" -c nginx.conf -e error.log -g 'daemon off;' &
    nginx_has_started
    life foreground
    echo
}

compare() { # NAME
    brkhole compare --repeats "$repeats" --format json -o "$place/compare.json" -- \
        nginx -t -q -p "$place" -c with.conf -e error.log
    sed "1s|^{|{ \"recorded\": { \"command\": \"brkhole compare -- nginx -t\", \"date\": \"$(date +%Y-%m-%d)\", \"openssl\": \"$(running_openssl)\" },|" \
        "$place/compare.json" > "$here/$1.json"
}

lua=$(dpkg-query -W -f '${Version}' libnginx-mod-http-lua 2>/dev/null || echo unknown)
{
    echo '{'
    echo '  "experiment": "nginx",'
    echo '  "environment": {'
    echo "    \"kernel\": \"$(uname -r)\","
    echo "    \"libc\": \"$(getconf GNU_LIBC_VERSION)\","
    echo "    \"nginx\": \"$(nginx -v 2>&1 | sed 's/^nginx version: //')\","
    echo "    \"lua_nginx_module\": \"$lua\","
    echo "    \"openssl\": \"$(running_openssl)\","
    echo "    \"cpu\": \"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)\","
    echo "    \"bundle\": { \"path\": \"$bundle\", \"bytes\": $(stat -Lc %s "$bundle"), \"certificates\": $(grep -c 'BEGIN CERT' "$bundle") }"
    echo '  },'
    echo "  \"parameters\": { \"locations\": $locations, \"repeats\": $repeats, \"reloads\": $reloads },"
    echo '  "arms": ['
    arm without
    echo ,
    arm with
    echo
    echo '  ],'
    echo '  "masters": ['
    cp "$place/with.conf" "$place/nginx.conf"
    daemon_and_foreground
    echo '  ],'
    echo "  \"recorded\": { \"command\": \"runs/nginx/run.sh\", \"date\": \"$(date +%Y-%m-%d)\" }"
    echo '}'
} > "$place/nginx.json"
mv "$place/nginx.json" "$here/nginx.json"
compare compare
our_openssl "$place/openssl"
LD_LIBRARY_PATH=$place/openssl compare compare-our-openssl
