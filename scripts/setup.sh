#!/bin/sh
# Installs what the build needs and cargo cannot bring: a C compiler and libpcap's headers. With "tests", also what tests
# of live capture run where they can: network namespaces and VPN peers. Those tests are skipped where it is missing.
set -eu

command -v cargo >/dev/null 2>&1 || { echo 'setup: cargo is missing; install Rust 1.89 or later (rustup.rs)' >&2; exit 1; }

missing=''
command -v cc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
printf '#include <pcap.h>\n' | cc -E -x c - >/dev/null 2>&1 || missing="$missing libpcap-dev"
wanted=''
if [ "${1:-}" = tests ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    command -v ip >/dev/null 2>&1 || wanted="$wanted iproute2"
    command -v setcap >/dev/null 2>&1 || wanted="$wanted libcap2-bin"
    command -v ping >/dev/null 2>&1 || wanted="$wanted iputils-ping"
    command -v openvpn >/dev/null 2>&1 || wanted="$wanted openvpn openssl"
    [ -x /usr/lib/ipsec/charon ] && command -v swanctl >/dev/null 2>&1 ||
        wanted="$wanted strongswan-charon strongswan-swanctl libcharon-extra-plugins \
            libstrongswan-standard-plugins libstrongswan-extra-plugins"
fi
[ -n "$missing$wanted" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install a C compiler and libpcap's headers (Fedora: gcc libpcap-devel, Alpine: build-base libpcap-dev, macOS: xcode-select --install)" >&2
    exit 1
fi
as_root=''
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "setup: please run as root: apt-get install -y$missing" >&2; exit 1; }
    as_root=sudo
fi
echo "setup: installing$missing$wanted"
$as_root apt-get update -qq
install() {
    [ $# -eq 0 ] || $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
# shellcheck disable=SC2086 # the lists are meant to be split
install $missing
# shellcheck disable=SC2086
install $wanted || echo "setup:$wanted cannot be installed; the tests that need it are skipped"
