#!/bin/bash
# The command on real programs: nginx with the story's line, an excerpt of the story's strace log,
# Python. Writes the JSON, texts and pictures beside this file. As root; Debian: apt-get install
# nginx-light libnginx-mod-http-lua ca-certificates python3
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$(readlink -f "$0")")/../.."
here=runs/brkhole
# The name that the book gives it: it stands in what is recorded.
place=/tmp/brkhole
locations=100
few=10
# shellcheck source=runs/running-nginx.sh
. runs/running-nginx.sh
log=crates/strace-log/tests/data/seed.txt
test=(nginx -t -q -p "$place" -c nginx.conf -e error.log)

cargo build --release --quiet --package brkhole
target=${CARGO_TARGET_DIR:-target}
# Behind it the distribution's Python, not the shell script of a version manager.
PATH=$(readlink -f "$target/release"):/usr/bin:$PATH
raw=$(mktemp -d)
master=
trap 'rm -rf "$raw"; [ -z "$master" ] || kill "$master"' EXIT

field() { # FILE KEY…: one value of a JSON file
    python3 -c '
import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2:]:
    value = value[key]
print(value)' "$@"
}

# The same run twice, as JSON and as a table, until both tell of the same calls. Addresses aren't
# randomised, so that it needn't take long.
both() { # NAME FLAG… : the command is what `test` holds
    local name=$1 try told
    shift
    for try in 1 2 3 4 5; do
        setarch -R brkhole trace "$@" --format json -o "$raw/$name.json" -- "${test[@]}"
        setarch -R brkhole trace "$@" -o "$raw/$name.txt" -- "${test[@]}"
        told=$(sed -n 's/^ brk  *\([0-9,]*\).*/\1/p' "$raw/$name.txt" | tr -d ,)
        [ "$told" != "$(field "$raw/$name.json" syscalls brk calls)" ] || return 0
    done
    echo "$name: no two runs were alike" >&2
    return 1
}

# Not what is resident: behind the fork that made it a daemon, nginx finds its code again page by page.
anonymous_bytes() { # PID
    awk '/^Anonymous:/ { print $2 * 1024 }' "/proc/$1/smaps_rollup"
}

# Watches the master during one reload: from before the signal until the old workers are gone.
reload() { # NAME FLAG…
    local name=$1 old watcher before
    shift
    old=$(workers "$master")
    before=$(anonymous_bytes "$master")
    brkhole trace --pid "$master" "$@" --format json -o "$raw/$name.trace.json" &
    watcher=$!
    sleep 3
    kill -HUP "$master"
    nginx_has_reloaded "$old"
    sleep 2
    kill -TERM "$watcher"
    wait "$watcher"
    printf '{ "anonymous_before_bytes": %s, "anonymous_after_bytes": %s, "trace":\n' \
        "$before" "$(anonymous_bytes "$master")" > "$raw/$name.json"
    cat "$raw/$name.trace.json" >> "$raw/$name.json"
    echo '}' >> "$raw/$name.json"
}

recorded() { # COMMAND
    printf '"recorded": { "command": "%s", "date": "%s" },' "$1" "$(date +%Y-%m-%d)"
}

compare() { # NAME COMMAND…
    local name=$1
    shift
    brkhole compare --format json -o "$raw/compare.json" -- "$@"
    sed "1s|^{|{ $(recorded "brkhole compare -- $*")|" "$raw/compare.json" > "$here/$name.json"
}

rm -rf "$place"
"$here/configuration.sh" "$locations" "$place"
both trace --chart "$raw/trace.svg"
both hole --hole
start_nginx
reload reload
reload again
stop_nginx
start_nginx
reload ptrace --via ptrace
stop_nginx

"$here/configuration.sh" "$few" "$place"
both stacks --hole --stacks --flamegraph "$raw/flame.svg"
compare compare-nginx "${test[@]}"
compare compare-python python3 "$here/free.py"

brkhole explain "$log" -o "$raw/excerpt.txt"
brkhole explain "$log" --format json -o "$raw/excerpt.json"

lua=$(dpkg-query -W -f '${Version}' libnginx-mod-http-lua 2>/dev/null || echo unknown)
openssl=$(nginx -V 2>&1 | sed -n 's/^built with \(OpenSSL [^ ]*\).*/\1/p')
running=$(nginx -V 2>&1 | sed -n 's/.*(running with \(OpenSSL [^ ]*\).*/\1/p')
{
    echo "{ $(recorded runs/brkhole/run.sh)"
    echo '"environment": {'
    echo "  \"kernel\": \"$(uname -r)\","
    echo "  \"libc\": \"$(getconf GNU_LIBC_VERSION)\","
    echo "  \"nginx\": \"$(nginx -v 2>&1 | sed 's/^nginx version: //')\","
    echo "  \"lua_nginx_module\": \"$lua\","
    echo "  \"openssl\": \"${running:-$openssl}\","
    echo "  \"cpu\": \"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)\","
    echo "  \"brkhole\": \"$(brkhole --version)\""
    echo '},'
    echo "\"parameters\": { \"locations\": $locations, \"locations_with_stacks\": $few },"
    for part in trace hole stacks reload again ptrace; do
        echo "\"$part\":"
        cat "$raw/$part.json"
        echo ,
    done
    echo '"excerpt":'
    cat "$raw/excerpt.json"
    echo '}'
} > "$raw/brkhole.json"
field "$raw/brkhole.json" parameters > /dev/null
cp "$raw"/{brkhole.json,trace.txt,hole.txt,stacks.txt,excerpt.txt,trace.svg,flame.svg} "$here"
rm -rf "$place"
