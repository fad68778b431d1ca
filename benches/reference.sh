#!/bin/sh
# Makes the reference run: all benches in full (about 13 minutes on an idle machine with two cores,
# and 500 MB of disk for a while), then raw numbers and README in benches/reference. Let the machine
# do nothing else meanwhile. As root: the bench `attach` needs the kernel's tracepoints.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
# Results of benches that have another name by now must not be gathered.
rm -rf "$target/criterion" "$target/bench"
cargo build --release -p benches --bin reference
cargo bench -p benches
"$target/release/reference" "$target" benches/reference "$(date -u +%Y-%m-%d)"
