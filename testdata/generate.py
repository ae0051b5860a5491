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


def discovery():
    group = '239.255.255.250'
    probe = (b'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"'
             b' xmlns:wsd="http://schemas.xmlsoap.org/ws/2005/04/discovery"><soap:Body><wsd:Probe/></soap:Body></soap:Envelope>')
    rtps = lambda n: b'RTPS\2\3\1\x0f' + random(12) + struct.pack('<BBHQ', 9, 1, 8, n) + struct.pack('<BBHIIQ', 21, 5, 20, 0, 0, n) + bytes(4)
    write('rtps/discovery.pcap', [(A, 7400, '239.255.0.1', 7400, rtps(n)) for n in range(5)], 3)
    who_is, i_am = bytes.fromhex('810b000c0120ffff00ff1008'), bytes.fromhex('810b00190120ffff00ff1000c4020000642205c4910021089100')[:25]
    write('bacnet/who-is.pcap', [(A, 47808, '192.0.2.255', 47808, who_is)] * 4, 10)
    bjnp = lambda device, n, body=b'': b'BJNP' + struct.pack('!BBIHI', device, 1, n, 0, len(body)) + body
    write('bjnp/discover.pcap', dialogue(8611, bjnp(1, 1), bjnp(0x81, 1, bytes(16)), bjnp(1, 2), bjnp(0x81, 2, bytes(16)), client=8612))
    lan = b'{"host_int": 123456789, "version": [2, 0], "displayname": "", "port": 17500, "namespaces": [42]}'
    write('dropbox-lansync/announcements.pcap', [(A, 17500, '192.0.2.255', 17500, lan)] * 3, 30)
    answer = b'ServerName;SQL;InstanceName;MSSQLSERVER;IsClustered;No;Version;15.0.2000.5;tcp;1433;;'
    write('ssrp/browse.pcap', dialogue(1434, b'\3', b'\5' + struct.pack('<H', len(answer)) + answer))


def management():
    hello = struct.pack('!8B8s4s', 0, 0, 16, 3, 10, 100, 1, 0, b'cisco', ip('192.0.2.254'))
    write('hsrp/hellos.pcap', [(A, 1985, '224.0.0.2', 1985, hello)] * 5, 3)
    bfd = lambda mine, yours, state: struct.pack('!4B5I', 0x20, state << 6, 3, 24, mine, yours, 300000, 300000, 0)
    sample = lambda n: struct.pack('!II', 1, 32) + struct.pack('!8I', n, 0, 256, n * 256, 0, 1, 2, 0)
    sflow = lambda n: struct.pack('!II4sIIII', 5, 1, ip(A), 0, n, n * 1000, 2) + sample(2 * n) + sample(2 * n + 1)
    write('sflow/samples.pcap', [(A, 50001, B, 6343, sflow(n)) for n in range(4)], 1)
    v5 = lambda n: struct.pack('!HHIIIIBBH', 5, 2, 60000 + n, START + n, 0, 2 * n, 0, 0, 0) + random(96, n + 1)
    write('netflow/export.pcap', [(A, 50002, B, 2055, v5(n)) for n in range(4)], 1)
    template = struct.pack('!HHHHHHHH', 2, 16, 256, 2, 8, 4, 12, 4)
    data = struct.pack('!HH', 256, 20) + ip(A) + ip(B) + ip(B) + ip(A)
    ipfix = lambda n, sets: struct.pack('!HHIII', 10, 16 + len(sets), START + n, n * 2, 1) + sets
    write('ipfix/export.pcap', [(A, 50003, B, 4739, ipfix(n, template + data if n == 0 else data)) for n in range(4)], 1)


def telephony():
    frame = lambda s, d, kind, sub, ies=b'': struct.pack('!HHIBBBB', 0x8000 | s, d, 3, 0, 0, kind, sub) + ies
    write('iax/registration.pcap', dialogue(4569, frame(7, 0, 6, 13, b'\6\3bob\x13\2\0\x3c'), frame(9, 7, 6, 14, b'\x0e\2\0\3\x0f\4abcd\6\3bob'),
                                            frame(7, 9, 6, 13, b'\6\3bob\x10\4wxyz'), frame(9, 7, 6, 15, b'\6\3bob'), frame(7, 9, 6, 4)))
    write('mgcp/audit.pcap', dialogue(2427, b'AUEP 1200 *@gw.example MGCP 1.0\r\n', b'200 1200 OK\r\n', b'RQNT 1201 aaln/1@gw.example MGCP 1.0\r\nR: L/hd(N)\r\nX: 1\r\n', b'200 1201 OK\r\n'))


def datagrams_of_tcp_protocols():
    """CLDAP (MS-ADTS 6.3.3), DNP3 over UDP, connectionless DCE/RPC, RDP over UDP."""
    rootdse = der(0x04, b''), der(0x0a, b'\0'), der(0x0a, b'\0'), der(2, b'\0'), der(2, b'\0'), der(1, b'\0')
    query = der(0x30, der(2, b'\1'), der(0x63, *rootdse, der(0x87, b'objectClass'), der(0x30, der(4, b'Netlogon'))))
    entry = der(0x30, der(2, b'\1'), der(0x64, der(4, b''), der(0x30, der(0x30, der(4, b'Netlogon'), der(0x31, der(4, random(60)))))))
    write('ldap/cldap.pcap', dialogue(389, query, entry + der(0x30, der(2, b'\1'), der(0x65, der(0x0a, b'\0'), der(4, b''), der(4, b'')))))

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

    question = b'\x12\x34\0\0\0\1\0\0\0\0\0\0' + dns_name('workstation') + b'\0\1\0\1'
    reply = question[:2] + b'\x80\0\0\1\0\1\0\0\0\0' + question[12:] + b'\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4' + ip(B)
    tcp_stream('llmnr/tcp.pcap', 5355, *(struct.pack('!H', len(m)) + m for m in (question, reply)))
    write('rdp/udp.pcap', dialogue(3389, syn(0xffffffff, 0x0001, 0x5b3f9a11), syn(0x5b3f9a11, 0x0005, 0x77c0ffee), random(200, 7), random(90, 8)))


def lisp():
    record = lambda last: (struct.pack('!IBBHHH', 1440, 1, 32, 0x1000, 0, 1) + ip(f'203.0.113.{last}') +
                           struct.pack('!BBBBHH', 1, 100, 255, 0, 5, 1) + ip(A))
    nonce = random(8, 5)
    body = nonce + struct.pack('!HH', 1, 20) + random(20, 6) + record(1) + record(2)
    request = b'\x10\0\0\1' + random(8, 7) + struct.pack('!H', 1) + ip('203.0.113.1') + struct.pack('!H', 1) + ip(A) + b'\0\x20\0\1' + ip('203.0.113.9')
    reply = b'\x20\0\0\1' + random(8, 7) + record(9)
    encapsulated = b'\x80\0\0\0' + udp('203.0.113.1', 4342, '203.0.113.9', 4342, request)
    write('lisp/registration.pcap', dialogue(4342, b'\x30\0\1\2' + body, b'\x40\0\0\2' + body, encapsulated, reply, client=4342))
    head = lambda n: b'\xc8' + random(3, n) + b'\0\0\1\1'
    write('lisp/tunnel.pcap', [(A, 61000, B, 4341, head(n + 1) + inner(n, 40 + 12 * n)) for n in range(6)])


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
    later = lambda n: b'\x08' + connection + bytes([n]) + random(100 + n, n + 20)
    write('quic/google-q043.pcap', dialogue(443, first.ljust(1350, b'\0'), reject, later(2), later(2), later(3), later(3)))


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
    lisp()
    capwap()
    softether()
    google_quic()
    datagrams_of_tcp_protocols()
    discovery()
    management()
    telephony()
    geneve()
    gtp()
    ssdp()
    teredo()
    mdns()
    llmnr()
    rtcp()
