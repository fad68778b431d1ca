#!/bin/bash
# All processes of a small host, which is a PID namespace of its own: the story's nginx, reloaded;
# Python, which has freed much behind a blocked break; who watches it; a shell. Writes all.txt beside
# this file. As root; needs what run.sh needs.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$(readlink -f "$0")")/../.."
if [ $$ != 1 ]; then
    cargo build --release --quiet --package brkhole
    exec unshare --pid --fork --kill-child --mount-proc "$0"
fi
place=/tmp/brkhole
# shellcheck source=runs/running-nginx.sh
. runs/running-nginx.sh
target=${CARGO_TARGET_DIR:-target}
PATH=$(readlink -f "$target/release"):/usr/bin:$PATH

rm -rf "$place"
runs/brkhole/configuration.sh 100 "$place"
start_nginx
old=$(workers "$master")
sleep 3
kill -HUP "$master"
nginx_has_reloaded "$old"
brkhole trace --hole -o /dev/null python3 -c '
import time
pieces = [bytes(16_000) for _ in range(8192)]
del pieces
time.sleep(600)' &
sleep 5
brkhole inspect --all -o "$place/all.txt"
cp "$place/all.txt" runs/inspect/all.txt
rm -rf "$place"
