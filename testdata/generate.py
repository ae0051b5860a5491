#!/usr/bin/env python3
"""Writes those captures of testdata/ for which no real peers were at hand: messages built by hand after the specifications.

usage: generate.py [DIR]      (default: the directory of this file; same input, same bytes)
"""
import os, struct, sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
START = 1_760_000_000
A, B = '192.0.2.1', '192.0.2.2'


def ip(text):
    return bytes(int(n) for n in text.split('.'))


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(src, sport, dst, dport, payload):
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, ip(src), ip(dst))
    header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
    return header + struct.pack('!HHHH', sport, dport, 8 + len(payload), 0) + payload


def write(name, packets, step=0.05):
    """packets: (source, source port, destination, destination port, payload[, seconds after the start])."""
    path = os.path.join(ROOT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for n, (src, sport, dst, dport, payload, *at) in enumerate(packets):
            at = at[0] if at else n * step
            data = udp(src, sport, dst, dport, payload)
            f.write(struct.pack('<IIII', START + int(at), int(round(at % 1 * 1e6)), len(data), len(data)) + data)


def dialogue(port, *turns, client=40001):
    """Alternating payloads: the client's first, then the server's."""
    c, s = (A, client, B, port), (B, port, A, client)
    return [(*(s if n % 2 else c), payload) for n, payload in enumerate(turns)]


def dns_name(text):
    return b''.join(bytes([len(l)]) + l.encode() for l in text.split('.') if l) + b'\0'


def random(n, seed=1):
    """n bytes without structure, always the same."""
    out, x = bytearray(), seed * 0x9e3779b97f4a7c15 & (1 << 64) - 1
    while len(out) < n:
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        x ^= x << 17 & (1 << 64) - 1
        out += x.to_bytes(8, 'big')
    return bytes(out[:n])


def mdns():
    q = struct.pack('!6H', 0, 0, 1, 0, 0, 0) + dns_name('_http._tcp.local') + struct.pack('!2H', 12, 0x8001)
    target = dns_name('printer._http._tcp.local')
    a = struct.pack('!6H', 0, 0x8400, 0, 1, 0, 0) + dns_name('_http._tcp.local') + struct.pack('!2HIH', 12, 1, 120, len(target)) + target
    group = '224.0.0.251'
    write('mdns/queries.pcap', [(A, 5353, group, 5353, q), (A, 5353, group, 5353, q), (B, 5353, group, 5353, a), (B, 5353, group, 5353, a)], 1.0)


def llmnr():
    q = struct.pack('!6H', 0x7a31, 0, 1, 0, 0, 0) + dns_name('fileserver') + struct.pack('!2H', 1, 1)
    a = struct.pack('!6H', 0x7a31, 0x8000, 1, 1, 0, 0) + q[12:] + b'\xc0\x0c' + struct.pack('!2HIH', 1, 1, 30, 4) + ip(B)
    group = '224.0.0.252'
    write('llmnr/queries.pcap', [(A, 50123, group, 5355, q), (A, 50123, group, 5355, q), *dialogue(5355, q, a, client=50124)], 0.1)


def netbios_name(text, kind):
    raw = text.encode().ljust(15) + bytes([kind])
    return b'\x20' + b''.join(bytes([0x41 + (b >> 4), 0x41 + (b & 15)]) for b in raw) + b'\0'


def netbios_ns():
    q = struct.pack('!6H', 0x8001, 0x0110, 1, 0, 0, 0) + netbios_name('FILESERVER', 0x20) + struct.pack('!2H', 32, 1)
    a = struct.pack('!6H', 0x8001, 0x8500, 0, 1, 0, 0) + netbios_name('FILESERVER', 0x20) + struct.pack('!2HIH', 32, 1, 300, 6) + b'\0\0' + ip(B)
    everyone = '192.0.2.255'
    write('netbios-ns/queries.pcap', [*[(A, 137, everyone, 137, q)] * 3, *dialogue(137, q, a, client=137)], 0.7)


def rtcp():
    ntp = (START + 2_208_988_800) << 32
    def report(ssrc, n):
        sr = struct.pack('!BBHIQIII', 0x80, 200, 6, ssrc, ntp + (n * 5 << 32), n * 40000, n * 250, n * 40000)
        sdes = struct.pack('!BBHI', 0x81, 202, 4, ssrc) + b'\x01\x07a@b.exa' + b'\0\0\0'
        return sr + sdes
    packets = []
    for n in range(3):
        packets += [(A, 5005, B, 5007, report(0x1badcafe, n), n * 5), (B, 5007, A, 5005, report(0x5eed5eed, n), n * 5 + 1.3)]
    write('rtcp/reports.pcap', packets)


if __name__ == '__main__':
    mdns()
    llmnr()
    netbios_ns()
    rtcp()
