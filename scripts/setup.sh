#!/bin/sh
# Installs what the build needs and cargo cannot bring: a C compiler and libpcap's headers.
set -eu

command -v cargo >/dev/null 2>&1 || { echo 'setup: cargo is missing; install Rust 1.89 or later (rustup.rs)' >&2; exit 1; }

missing=''
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
printf '#include <pcap.h>\n' | cc -E -x c - >/dev/null 2>&1 || missing="$missing libpcap-dev"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install a C compiler and libpcap's headers (Fedora: gcc libpcap-devel, Alpine: build-base libpcap-dev, macOS: xcode-select --install)" >&2
    exit 1
fi
as_root=''
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "setup: please run as root: apt-get install -y$missing" >&2; exit 1; }
    as_root=sudo
fi
echo "setup: installing$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
