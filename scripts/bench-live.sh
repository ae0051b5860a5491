#!/bin/bash
# Live capture beside tcpdump on the same veth: packets received and lost at several rates, CPU time a packet. Needs root,
# iproute2 and tcpdump. Usage: bench-live.sh CAPTURE [PACKETS] [RATES...]
set -euo pipefail
cd "$(dirname "$0")/.."
capture=${1:?a capture whose frames are sent}
packets=${2:-1000000}
shift $(( $# < 2 ? $# : 2 ))
rates=("${@:-}")
cargo build -q --release --locked --example replay --bin portproof
. scripts/veth.sh

# CPU seconds of a process so far: user and system, of all threads.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$1/stat"; }

measure() { # NAME RATE COMMAND...
    local name=$1 rate=$2 log pid
    shift 2
    log=$temporary/log
    "${inside[@]}" "$@" >"$log" 2>&1 &
    pid=$!
    sleep 1
    local before after
    before=$(cpu "$pid")
    # shellcheck disable=SC2086 # an empty rate is no argument
    sent=$("${inside[@]}" target/release/examples/replay v0 "$capture" "$packets" $rate)
    sleep 0.5
    after=$(cpu "$pid")
    kill -INT "$pid"
    wait "$pid" || true
    echo "$name: $sent; $(awk -v a="$before" -v b="$after" -v n="$packets" 'BEGIN { printf "%.0f", (b - a) * 1e9 / n }') ns CPU a packet"
    grep -E "packets (received|dropped|captured)|[0-9] packets = |dropped by" "$log" | sed 's/^/    /' || true
}

for rate in "${rates[@]}"; do
    measure "tcpdump -w /dev/null" "$rate" tcpdump -i v1 -B 65536 -Z root -w /dev/null
    measure "tcpdump -s 256 -w /dev/null" "$rate" tcpdump -i v1 -B 65536 -s 256 -Z root -w /dev/null
    measure "portproof live" "$rate" target/release/portproof live -i v1
    measure "portproof live -s 262144" "$rate" target/release/portproof live -i v1 -s 262144
done
