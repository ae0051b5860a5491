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


def random(n, seed=1):
    """n bytes without structure, always the same."""
    out, x = bytearray(), seed * 0x9e3779b97f4a7c15 & (1 << 64) - 1
    while len(out) < n:
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        x ^= x << 17 & (1 << 64) - 1
        out += x.to_bytes(8, 'big')
    return bytes(out[:n])


def inner(n=0, size=64):
    return udp('10.0.0.1', 1000 + n, '10.0.0.2', 2000, random(size, n + 1))


def gtp():
    v2 = lambda kind, body: struct.pack('!BBHI', 0x40, kind, 4 + len(body), 5 << 8) + body
    recovery = b'\x03\0\x01\0\x11'
    write('gtp-c/echo.pcap', dialogue(2123, v2(1, recovery), v2(2, recovery), client=2123) * 2)
    # GTP': both sides are alive, a gateway hands on a record and one of two, and an empty list of packets to release.
    prime = lambda kind, n, *elements: struct.pack('!BBHH', 0x2e, kind, sum(map(len, elements)), n) + b''.join(elements)
    tlv = lambda kind, value: struct.pack('!BH', kind, len(value)) + value
    ber = lambda n: b'\xbf\x4f' + bytes([40 + n]) + b'\x80\x01\x12\x81\x08' + random(8, n) + b'\x84\x04' + ip(A) + random(19 + n, n + 9)
    records = lambda *r: b'\x7e\1' + tlv(252, bytes([len(r), 1, 0x1c, 6]) + b''.join(struct.pack('!H', len(d)) + d for d in r))
    done = lambda n: b'\1\x80' + tlv(253, struct.pack('!H', n))
    write('gtp-prime/records.pcap', dialogue(3386, prime(4, 1, tlv(251, ip(A))), prime(5, 1), prime(1, 2), prime(2, 2, b'\x0e\7'),
          prime(240, 3, records(ber(1))), prime(241, 3, done(3)), prime(240, 4, records(ber(2), ber(3))), prime(241, 4, done(4))))


def discovery():
    lan = b'{"host_int": 123456789, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [42]}'
    write('dropbox-lansync/announcements.pcap', [(A, 17500, '192.0.2.255', 17500, lan)] * 3, 30)


def datagrams_of_tcp_protocols():
    """DNP3 over UDP, connectionless DCE/RPC, RDP over UDP, H.323's registration."""
    def crc(data):
        value = 0
        for byte in data:
            value ^= byte
            for _ in range(8):
                value = value >> 1 ^ (0xa6bc if value & 1 else 0)
        return struct.pack('<H', ~value & 0xffff)

    def link(control, destination, source, user):
        header = struct.pack('<BBBBHH', 5, 0x64, 5 + len(user), control, destination, source)
        blocks = [user[n:n + 16] for n in range(0, len(user), 16)]
        return header + crc(header) + b''.join(block + crc(block) for block in blocks)

    write('dnp3/udp.pcap', dialogue(20000, link(0xc4, 100, 3, bytes.fromhex('c0c1013c0206')),
                                    link(0x44, 3, 100, bytes.fromhex('c0c18100000102000001')), client=20001))

    def rpc(kind, flags, boot, body):
        return (struct.pack('<BBBB4s', 4, kind, flags, 0, bytes.fromhex('10000000')) + random(16, 2) + random(16, 3) + random(16, 4)
                + struct.pack('<IIIHHHHHBB', boot, 1, 0, 0, 0xffff, 0xffff, len(body), 0, 0, 0) + body)

    write('dcerpc/connectionless.pcap', dialogue(34964, rpc(0, 0x20, 0, random(120, 5)), rpc(2, 0x0a, 1, random(80, 6))))

    def syn(acknowledged, flags, initial):
        return struct.pack('!IHHIHH', acknowledged, 64, flags, initial, 1232, 1232).ljust(1232, b'\0')

    write('rdp/udp.pcap', dialogue(3389, syn(0xffffffff, 0x0001, 0x5b3f9a11), syn(0x5b3f9a11, 0x0005, 0x77c0ffee), random(200, 7), random(90, 8)))

    # A side's data acknowledge the last number of the other's; the vector is a run length, padded to whole words.
    def data(acknowledged, vector, number=None, size=0, seed=1):
        flags = 4 if number is None else 12
        head = struct.pack('!IHHH', acknowledged, 64, flags, len(vector)) + vector + bytes(-(len(vector) + 2) % 4)
        return head if number is None else head + struct.pack('!II', number, number) + random(size, seed)

    client, server = 0x5b3f9b40, 0x77c10010
    turns = []
    for n in range(6):
        turns.append(data(server + n, bytes([0x01 + n]), client + n, 90 + 20 * n, n))
        turns.append(data(client + n, b'\x02\x41'[:1 + n % 2], server + 1 + n, 700 + n, 30 + n) if n != 3 else data(client + n, b'\x03', server + 1 + n, 60, 9))
    write('rdp/udp-data.pcap', dialogue(3389, *turns))

    # A gatekeeper is found and an endpoint registers; encoded by pycrate from H.225.0's ASN.1.
    write('h323/registration.pcap', dialogue(1719, *map(bytes.fromhex, (
          '00200000060008914a000400c00002019c4102000240040061006c00690063006501804334',  # gatekeeperRequest
          '04800000060008914a0004120067006100740065006b0065006500700065007200c000020206b7',  # gatekeeperConfirm
          '0ec00001060008914a0004800100c000020106b80100c00002019c4102000240040061006c00690063006501804334120067006100740065006b0065006500700065007200b500534c348a0000000340012b01000100',  # registrationRequest
          '12c00001060008914a00040100c000020206b80240040061006c00690063006501804334120067006100740065006b006500650070006500720800310037005f0067006b268800000340012b0100',  # registrationConfirm
    ))))


def capwap():
    def message(kind, sequence, *elements):
        body = b''.join(struct.pack('!HH', t, len(v)) + v for t, v in elements)
        return b'\0\x10\x02\0' + bytes(4) + struct.pack('!IBHB', kind, sequence, len(body) + 3, 0) + body
    board = struct.pack('!IHH', 9, 0, 6) + b'AP-007' + struct.pack('!HH', 1, 4) + b'1234'
    request = message(1, 1, (20, b'\1'), (38, board), (39, struct.pack('!BBBB', 1, 1, 0, 1) + struct.pack('!IHH', 9, 0, 4) + b'\1\0\0\0'), (41, b'\4'), (44, b'\1'))
    response = message(2, 1, (1, struct.pack('!HHHHBBBB', 0, 10, 0, 2, 2, 1, 0, 0) + struct.pack('!IHH', 9, 4, 4) + b'\1\0\0\0'), (4, b'controller'), (10, ip(B) + b'\0\0'))
    record = lambda kind, epoch, n, body: struct.pack('!BHHHIH', kind, 0xfefd, epoch, 0, n, len(body)) + body
    hello = b'\xfe\xfd' + random(32, 3) + b'\0\0' + b'\0\4\xc0\x2b\0\x2f' + b'\1\0'
    handshake = lambda kind, n, body: struct.pack('!BBHHBHBH', kind, 0, len(body), n, 0, 0, 0, len(body)) + body
    write('capwap/discovery.pcap', dialogue(5246, request, response, b'\1\0\0\0' + record(22, 0, 0, handshake(1, 0, hello)),
          b'\1\0\0\0' + record(22, 0, 0, handshake(3, 0, b'\xfe\xfd\x14' + random(20, 4))), b'\1\0\0\0' + record(23, 1, 5, random(120, 5)),
          b'\1\0\0\0' + record(23, 1, 6, random(90, 6))))


def softether():
    def pack(**elements):
        out = struct.pack('!I', len(elements))
        for name, value in elements.items():
            out += struct.pack('!I', len(name) + 1) + name.encode()
            if isinstance(value, bytes):
                out += struct.pack('!III', 2, 1, len(value)) + value
            else:
                out += struct.pack('!IIQ', 4, 1, value) if name == 'tran_id' else struct.pack('!III', 0, 1, value)
        return out
    address = b'IP=192.0.2.1,PORT=40001'
    ask = pack(opcode=b'nat_t_register', tran_id=0x1122334455667788, svc_name=b'SoftEther_VPN', token=b'0123456789ABCDEF', nat_traversal_version=1, host_name=b'vpn')
    answer = pack(opcode=b'nat_t_register', tran_id=0x1122334455667788, ok=1, my_ip=b'192.0.2.1', my_port=40001, first=1)
    write('softether/nat-traversal.pcap', dialogue(5004, b'A', address, ask, answer, b'A', address))


def google_quic():
    """Google's QUIC, version 43: the client's hello, the server's rejection, and packets without a version."""
    connection = random(8, 9)
    tags = lambda kind, *pairs: kind + struct.pack('<HH', len(pairs), 0) + b''.join(t + struct.pack('<I', sum(len(v) for _, v in pairs[:n + 1])) for n, (t, _) in enumerate(pairs)) + b''.join(v for _, v in pairs)
    hello = tags(b'CHLO', (b'PAD\0', bytes(900)), (b'SNI\0', b'www.example.org'), (b'VER\0', b'Q043'), (b'UAID', b'a client'))
    rejection = tags(b'REJ\0', (b'STK\0', random(56, 2)), (b'SNO\0', random(52, 3)), (b'SCFG', random(160, 4)))
    first = b'\x0d' + connection + b'Q043' + b'\1' + random(12, 1) + b'\xa0\1\0' + struct.pack('>H', len(hello)) + hello
    reject = b'\x08' + connection + b'\1' + random(12, 5) + b'\xa0\1\0' + struct.pack('>H', len(rejection)) + rejection
    later = lambda n, seed: b'\x08' + connection + bytes([n]) + random(100 + n, seed)
    write('quic/google-q043.pcap', dialogue(443, first.ljust(1350, b'\0'), reject, later(2, 22), later(2, 32), later(3, 23), later(3, 33)))


def payloads(name):
    """The UDP payloads of a capture of this folder: source, port, destination, port, payload, seconds after the first."""
    data, at, first = open(os.path.join(ROOT, name), 'rb').read(), 24, None
    while at < len(data):
        seconds, micros, length = struct.unpack_from('<III', data, at)
        first = first or (seconds, micros)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        ends = ['.'.join(map(str, frame[n:n + 4])) for n in (26, 30)]
        sport, dport = struct.unpack_from('!HH', frame, 34)
        yield ends[0], sport, ends[1], dport, frame[42:], seconds - first[0] + (micros - first[1]) / 1e6


def wireguard_variants():
    """Two forms that services make of WireGuard, made of the packets of a real one."""
    original = list(payloads('wireguard/wireguard-go.pcap'))
    # Cloudflare's clients and servers have an identifier of the client in the three reserved bytes of every message.
    mark = lambda m: m[:1] + b'\x5a\xc3\x17' + m[4:]
    write('wireguard/reserved.pcap', [(*ends, mark(m), at) for *ends, m, at in original])
    # Handshake messages with random bytes behind them, so that they have other lengths.
    longer = lambda m: m + {1: random(56, 7), 2: random(8, 8)}.get(m[0], b'')
    write('wireguard/padded.pcap', [(*ends, longer(m), at) for *ends, m, at in original])


if __name__ == '__main__':
    wireguard_variants()
    capwap()
    softether()
    google_quic()
    datagrams_of_tcp_protocols()
    discovery()
    gtp()
