#!/bin/bash
# A running nginx from outside: started, reloaded, trimmed; the same with its break blocked; and
# trimmed again and again under load. Writes inspect.json and the texts beside this file. As root;
# Debian: apt-get install nginx-light libnginx-mod-http-lua ca-certificates python3 wrk
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$(readlink -f "$0")")/../.."
here=runs/inspect
# The name that the book gives it: it stands in what is recorded.
place=/tmp/brkhole
locations=100
trims=1000
connections=50
# shellcheck source=runs/running-nginx.sh
. runs/running-nginx.sh

cargo build --release --quiet --package brkhole
target=${CARGO_TARGET_DIR:-target}
PATH=$(readlink -f "$target/release"):/usr/bin:$PATH
raw=$(mktemp -d)
master=
load=
trap 'rm -rf "$raw"; [ -z "$load" ] || kill "$load" || true; [ -z "$master" ] || kill "$master"' EXIT

reload() {
    local old
    old=$(workers "$master")
    # Younger than the master by more than the moment in which a start makes its workers.
    sleep 3
    kill -HUP "$master"
    nginx_has_reloaded "$old"
    sleep 1
}

both() { # NAME COMMAND…: as JSON and as a table
    local name=$1
    shift
    "$@" --format json -o "$raw/$name.json"
    "$@" -o "$raw/$name.txt"
}

rm -rf "$place"
runs/brkhole/configuration.sh "$locations" "$place"
start_nginx
both started brkhole inspect "$master"
reload
both reloaded brkhole inspect "$master"
brkhole trim --dry-run "$master" -o "$raw/dry-run.txt"
brkhole trim "$master" --format json -o "$raw/trim.json"
both trimmed brkhole inspect "$master"
reload
# The workers, too, as they were forked with its free pages.
read -ra all <<< "$master $(workers "$master")"
brkhole trim "${all[@]}" -o "$raw/trim.txt"
stop_nginx

# A blocked break: the trick's page, in an nginx that doesn't know of it.
brkhole trace --hole --format json -o "$raw/trace.json" -- \
    nginx -p "$place" -c nginx.conf -e error.log -g 'daemon off;' &
tracer=$!
nginx_has_started
both blocked brkhole inspect "$master"
kill "$master"
wait "$tracer"
master=

# Under load: the worker that serves, trimmed as fast as it goes.
sed -i 's|location /1 { }|location /1 { return 200 "here\\n"; }|' "$place/nginx.conf"
start_nginx
worker=$(workers "$master" | tr -d ' ')
wrk --threads 1 --connections "$connections" --duration 600s http://127.0.0.1:18080/1 > "$raw/wrk.txt" &
load=$!
sleep 1
for _ in $(seq "$trims"); do
    brkhole trim "$worker" --format json
done > "$raw/trims.json"
kill -INT "$load"
wait "$load" || true
load=
[ "$(workers "$master" | tr -d ' ')" = "$worker" ]
stop_nginx

lua=$(dpkg-query -W -f '${Version}' libnginx-mod-http-lua 2>/dev/null || echo unknown)
{
    echo "{ \"recorded\": { \"command\": \"runs/inspect/run.sh\", \"date\": \"$(date +%Y-%m-%d)\" },"
    echo '"environment": {'
    echo "  \"kernel\": \"$(uname -r)\","
    echo "  \"libc\": \"$(getconf GNU_LIBC_VERSION)\","
    echo "  \"nginx\": \"$(nginx -v 2>&1 | sed 's/^nginx version: //')\","
    echo "  \"lua_nginx_module\": \"$lua\","
    echo "  \"cpu\": \"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)\","
    echo "  \"brkhole\": \"$(brkhole --version)\""
    echo '},'
    echo "\"parameters\": { \"locations\": $locations, \"trims\": $trims, \"connections\": $connections },"
    for part in started reloaded trim trimmed blocked; do
        echo "\"$part\":"
        python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["processes"], indent=2))' \
            < "$raw/$part.json"
        echo ,
    done
    echo '"load":'
    python3 "$here/load.py" "$raw/wrk.txt" "$raw/trims.json"
    echo '}'
} > "$raw/inspect.json"
python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$raw/inspect.json"
cp "$raw"/{inspect.json,started.txt,reloaded.txt,trim.txt,blocked.txt} "$here"
rm -rf "$place"
"$here/all.sh"
