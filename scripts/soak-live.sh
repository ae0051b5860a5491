#!/bin/bash
# Memory of a live capture over time: each packet a flow of its own. Needs root and iproute2.
# Usage: soak-live.sh [MINUTES] [PACKETS A SECOND] [OPTIONS OF portproof live...]
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-10} rate=${2:-20000}
shift $(( $# < 2 ? $# : 2 ))
cargo build -q --release --locked --example replay --example bench-capture --bin portproof
. scripts/veth.sh
capture=$temporary/capture
target/release/examples/bench-capture many "$capture" 1000000
"${inside[@]}" target/release/portproof live -i v1 --udp-idle 5s "$@" >/dev/null &
live=$!
sleep 1
"${inside[@]}" target/release/examples/replay v0 "$capture" $((minutes * 60 * rate)) "$rate" &
sender=$!
seconds=0
while kill -0 "$sender" 2>/dev/null; do
    sleep 10
    seconds=$((seconds + 10))
    echo "$seconds s: $(awk '/VmRSS/ { printf "%.0f MiB", $2 / 1024 }' "/proc/$live/status")"
done
kill -INT "$live"
wait "$live"
