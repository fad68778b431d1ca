#!/bin/bash
# Real nginx with and without the line: time, peak memory and opens of the bundle of `nginx -t` with
# 100 empty locations. Writes nginx.json beside this file. Debian: apt-get install nginx-light
# libnginx-mod-http-lua strace time
set -euo pipefail
export LC_ALL=C

here=$(dirname "$(readlink -f "$0")")
locations=100
repeats=5
bundle=/etc/ssl/certs/ca-certificates.crt
modules=${NGINX_MODULES:-/usr/lib/nginx/modules}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

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

lua=$(dpkg-query -W -f '${Version}' libnginx-mod-http-lua 2>/dev/null || echo unknown)
openssl=$(nginx -V 2>&1 | sed -n 's/^built with \(OpenSSL [^ ]*\).*/\1/p')
running=$(nginx -V 2>&1 | sed -n 's/.*(running with \(OpenSSL [^ ]*\).*/\1/p')
{
    echo '{'
    echo '  "experiment": "nginx",'
    echo '  "environment": {'
    echo "    \"kernel\": \"$(uname -r)\","
    echo "    \"libc\": \"$(getconf GNU_LIBC_VERSION)\","
    echo "    \"nginx\": \"$(nginx -v 2>&1 | sed 's/^nginx version: //')\","
    echo "    \"lua_nginx_module\": \"$lua\","
    echo "    \"openssl\": \"${running:-$openssl}\","
    echo "    \"cpu\": \"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)\","
    echo "    \"bundle\": { \"path\": \"$bundle\", \"bytes\": $(stat -Lc %s "$bundle"), \"certificates\": $(grep -c 'BEGIN CERT' "$bundle") }"
    echo '  },'
    echo "  \"parameters\": { \"locations\": $locations, \"repeats\": $repeats },"
    echo '  "arms": ['
    arm without
    echo ,
    arm with
    echo
    echo '  ],'
    echo "  \"recorded\": { \"command\": \"runs/nginx/run.sh\", \"date\": \"$(date +%Y-%m-%d)\" }"
    echo '}'
} > "$place/nginx.json"
mv "$place/nginx.json" "$here/nginx.json"
