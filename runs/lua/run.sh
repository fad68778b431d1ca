#!/bin/bash
# Where C's memory lies in a process and where Lua's, with the break free and blocked: brkhole on a
# child of `low-memory`. Writes map.svg and map.json beside this file.
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$(readlink -f "$0")")/../.."
here=runs/lua
heap_bytes=$((512 << 20))

cargo build --release --quiet --package repro --package brkhole
built=$(readlink -f "${CARGO_TARGET_DIR:-target}/release")
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT

# Randomised, the break could start anywhere below Lua's memory.
PATH=$built:$PATH BRKHOLE_ARM=control setarch -R brkhole compare --repeats 3 \
    --map "$raw/map.svg" --format json -o "$raw/map.json" -- \
    low-memory tables after "$heap_bytes" $((6 << 30))

recorded='"recorded": { "command": "runs/lua/run.sh", "date": "'$(date +%Y-%m-%d)'" },'
sed "1s|^{|{ $recorded|" "$raw/map.json" > "$here/map.json"
cp "$raw/map.svg" "$here"
