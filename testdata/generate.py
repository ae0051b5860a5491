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


def ssdp():
    search = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: ssdp:all\r\n\r\n'
    notify = b'NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\nUSN: uuid:1::upnp:rootdevice\r\n\r\n'
    found = b'HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\nLOCATION: http://192.0.2.2/d.xml\r\n\r\n'
    group = '239.255.255.250'
    write('ssdp/search.pcap', [(A, 40001, group, 1900, search), *[(B, 1900, group, 1900, notify)] * 4, (B, 1900, A, 40001, found)])


def netbios_dgm():
    body = netbios_name('HOST', 0) + netbios_name('WORKGROUP', 0x1d) + b'\xffSMB\x25' + bytes(60)
    m = struct.pack('!BBH4sHHH', 0x11, 2, 7, ip(A), 138, len(body), 0) + body
    write('netbios-dgm/announcements.pcap', [(A, 138, '192.0.2.255', 138, m)] * 3, 60)


def der(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    length = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
    return bytes([tag]) + length + body


def tcp_stream(name, port, client, server):
    """One connection: handshake, one segment each way."""
    path = os.path.join(ROOT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    def packet(up, seq, ack, flags, payload=b''):
        (s, sp), (d, dp) = ((A, 40001), (B, port)) if up else ((B, port), (A, 40001))
        h = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, ip(s), ip(d))
        h = h[:10] + struct.pack('!H', checksum(h)) + h[12:]
        return h + struct.pack('!HHIIBBHHH', sp, dp, seq, ack, 0x50, flags, 8192, 0, 0) + payload
    packets = [packet(1, 100, 0, 2), packet(0, 500, 101, 18), packet(1, 101, 501, 16), packet(1, 101, 501, 24, client),
               packet(0, 501, 101 + len(client), 24, server)]
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for n, data in enumerate(packets):
            f.write(struct.pack('<IIII', START, n * 1000, len(data), len(data)) + data)


def kerberos():
    number = lambda n: der(2, bytes([n]))
    text = lambda t: der(0x1b, t.encode())
    name = lambda kind, *parts: der(0x30, der(0xa0, number(kind)), der(0xa1, der(0x30, *map(text, parts))))
    body = der(0x30, der(0xa0, der(3, b'\0\x40\0\0\0')), der(0xa1, name(1, 'bob')), der(0xa2, text('LAB.EXAMPLE')),
               der(0xa3, name(2, 'krbtgt', 'LAB.EXAMPLE')), der(0xa5, der(0x18, b'20301020000000Z')), der(0xa7, number(77)),
               der(0xa8, der(0x30, number(18))))
    request = der(0x6a, der(0x30, der(0xa1, number(5)), der(0xa2, number(10)), der(0xa4, body)))
    error = der(0x7e, der(0x30, der(0xa0, number(5)), der(0xa1, number(30)), der(0xa4, der(0x18, b'20251009000000Z')),
                          der(0xa5, number(1)), der(0xa6, number(25)), der(0xa9, text('LAB.EXAMPLE')), der(0xaa, name(2, 'krbtgt', 'LAB.EXAMPLE'))))
    reply = der(0x6b, der(0x30, der(0xa0, number(5)), der(0xa1, number(11)), der(0xa3, text('LAB.EXAMPLE')), der(0xa4, name(1, 'bob')),
                          der(0xa6, der(0x30, der(0xa0, number(18)), der(0xa2, der(4, random(180)))))))
    write('kerberos/krb5-udp.pcap', dialogue(88, request, error, request, reply))
    framed = lambda m: struct.pack('!I', len(m)) + m
    tcp_stream('kerberos/krb5-tcp.pcap', 88, framed(request), framed(reply))


def l2tp():
    def avp(kind, value):
        return struct.pack('!HHH', 0x8000 | 6 + len(value), 0, kind) + value
    def control(tunnel, ns, nr, *avps):
        body = b''.join(avps)
        return struct.pack('!6H', 0xc802, 12 + len(body), tunnel, 0, ns, nr) + body
    kind = lambda n: avp(0, struct.pack('!H', n))
    common = avp(2, b'\1\0') + avp(3, bytes(4))
    write('l2tp/tunnel.pcap', dialogue(1701,
        control(0, 0, 0, kind(1), common, avp(7, b'client'), avp(9, b'\0\x11')),
        control(17, 0, 1, kind(2), common, avp(7, b'server'), avp(9, b'\0\x22')),
        control(34, 1, 1, kind(3)), control(17, 1, 2), control(34, 2, 1, kind(10), avp(14, b'\0\x33')), control(17, 1, 3),
        struct.pack('!3H', 2, 34, 51) + b'\xff\x03\xc0\x21\x01\x01\0\x04'))


def inner(n=0, size=64):
    return udp('10.0.0.1', 1000 + n, '10.0.0.2', 2000, random(size, n + 1))


def geneve():
    frame = bytes.fromhex('020000000002020000000001') + b'\x08\0'
    head = struct.pack('!BBHI', 0, 0, 0x6558, 42 << 8)
    write('geneve/tunnel.pcap', [(A, 50000, B, 6081, head + frame + inner(n, 40 + 8 * n)) for n in range(6)])


def ipv6(src, dst, next_header, payload):
    return struct.pack('!IHBB', 6 << 28, len(payload), next_header, 255) + src + dst + payload


def teredo():
    own, far = bytes.fromhex('20010000c0000201800003ff3fffddfd'), bytes.fromhex('20010db8000000000000000000000001')
    link, routers = bytes.fromhex('fe800000000000008000f227bffed65c'), bytes.fromhex('ff020000000000000000000000000002')
    solicit = b'\0\1\0\0' + random(8) + b'\0' + ipv6(link, routers, 58, bytes([133, 0, 0, 0, 0, 0, 0, 0]))
    advert = b'\0\0' + random(6) + ipv6(link, link, 58, bytes([134, 0]) + bytes(14))
    write('teredo/bubbles.pcap', dialogue(3544, solicit, advert, ipv6(own, far, 59, b''), ipv6(own, far, 58, b'\x80\0' + random(30))))


def gtp():
    data = lambda teid, n: struct.pack('!BBHI', 0x30, 255, len(inner(n)), teid) + inner(n)
    echo = lambda kind: struct.pack('!BBHIHH', 0x32, kind, 4 + (2 if kind == 2 else 0), 0, 9, 0) + (b'\x0e\0' if kind == 2 else b'')
    write('gtp-u/tunnel.pcap', dialogue(2152, echo(1), echo(2), *[data(7 + n % 2, n) for n in range(6)], client=2152))
    v2 = lambda kind, body: struct.pack('!BBHI', 0x40, kind, 4 + len(body), 5 << 8) + body
    recovery = b'\x03\0\x01\0\x11'
    write('gtp-c/echo.pcap', dialogue(2123, v2(1, recovery), v2(2, recovery), client=2123) * 2)


def coap():
    get = lambda n, path: struct.pack('!BBH', 0x42, 1, 100 + n) + bytes([7, n]) + bytes([0xb0 | len(path)]) + path
    content = lambda n, text: struct.pack('!BBH', 0x62, 0x45, 100 + n) + bytes([7, n]) + b'\xc0\xff' + text
    turns = []
    for n in range(3):
        turns += [get(n, b'time'), content(n, b'Oct 09 08:53')]
    write('coap/requests.pcap', dialogue(5683, *turns))


if __name__ == '__main__':
    coap()
    geneve()
    gtp()
    kerberos()
    l2tp()
    netbios_dgm()
    ssdp()
    teredo()
    mdns()
    llmnr()
    netbios_ns()
    rtcp()
