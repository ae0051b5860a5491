#!/bin/bash
# Measures portproof beside what else reads the same capture: wall and CPU time as ratios, the median of five rounds in turn.
# Usage: scripts/bench.sh [PACKETS]. The captures are made first, with a fixed seed, in target/bench/.
set -eu
cd "$(dirname "$0")/.."
packets=${1:-2000000}
rounds=5
dir=target/bench
mkdir -p "$dir"
cargo build --release --locked --quiet --bin portproof --example bench-capture
ours=$PWD/target/release/portproof
make_capture=$PWD/target/release/examples/bench-capture

capture() { # KIND PACKETS
    [ -s "$dir/$1-$2.pcap" ] || "$make_capture" "$1" "$dir/$1-$2.pcap" "$2"
    cat "$dir/$1-$2.pcap" >/dev/null # into the page cache
}

TIMEFORMAT='%R %U %S'
# Prints "wall CPU" in seconds of one run of COMMAND FILE.
measure() {
    { time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "%.3f %.3f\n", $1, $2 + $3 }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

run_cat() { cat "$1"; }
run_tcpdump() { tcpdump -r "$1" -w /dev/null; }
run_ndpiReader() { ndpiReader -q -i "$1"; }
run_tshark() { tshark -q -z conv,udp -r "$1"; }
run_portproof() { "$ours" read --workers 1 --output jsonl "$1"; }
run_portproof2() { "$ours" read --workers 2 --output jsonl "$1"; }

row() { # FILE
    local tools="cat portproof portproof2"
    for tool in tcpdump ndpiReader tshark; do
        command -v "$tool" >/dev/null 2>&1 && tools="$tools $tool"
    done
    local results
    results=$(mktemp)
    for _ in $(seq "$rounds"); do
        for tool in $tools; do
            # The slow ones once are enough for a ratio.
            case $tool in ndpiReader | tshark) grep -q "^$tool " "$results" && continue ;; esac
            echo "$tool $(measure "run_$tool" "$1")" >>"$results"
        done
    done
    local wall cpu base_wall base_cpu
    base_wall=$(awk '$1 == "cat" { print $2 }' "$results" | median)
    base_cpu=$(awk '$1 == "tcpdump" { print $3 }' "$results" | median)
    for tool in $tools; do
        wall=$(awk -v t="$tool" '$1 == t { print $2 }' "$results" | median)
        cpu=$(awk -v t="$tool" '$1 == t { print $3 }' "$results" | median)
        awk -v t="$tool" -v w="$wall" -v c="$cpu" -v bw="$base_wall" -v bc="${base_cpu:-0}" 'BEGIN {
            printf "  %-12s wall %7.3f s = %6.2f x cat", t, w, (bw > 0 ? w / bw : 0)
            printf "   CPU %7.3f s", c
            if (bc > 0) printf " = %6.2f x tcpdump", c / bc
            print "" }'
    done
    rm -f "$results"
}

for kind in mix small openvpn many; do
    capture "$kind" "$packets"
    file=$dir/$kind-$packets.pcap
    echo "$kind: $packets packets, $(stat -c %s "$file") bytes"
    row "$file"
done
ten=$dir/mix-10.pcap
capture mix 10
echo "start: portproof port 1197 $(measure "$ours" port 1197), read of 10 packets $(measure "$ours" read "$ten") (wall CPU, seconds)"
