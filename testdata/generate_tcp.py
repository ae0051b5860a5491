#!/usr/bin/env python3
"""Writes those captures of protocols over TCP for which no real peers were at hand: messages built by hand after the
specifications that the recognisers cite, each in a connection of its own.

usage: generate_tcp.py [DIR]      (default: the directory of this file; same input, same bytes)
"""
import os, struct, sys

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
START = 1_760_000_000
A, B = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def talk(name, port, *turns):
    """A connection in which client and server send in turn, the client first; b'' skips a turn."""
    path = os.path.join(ROOT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sequence, packets = [100, 500], []

    def packet(who, flags, payload=b''):
        (s, sp), (d, dp) = ((A, 40001), (B, port)) if who == 0 else ((B, port), (A, 40001))
        ack = sequence[1 - who] if flags & 16 else 0
        header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, s, d)
        header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
        packets.append(header + struct.pack('!HHIIBBHHH', sp, dp, sequence[who], ack, 0x50, flags, 8192, 0, 0) + payload)
        sequence[who] += len(payload) + (1 if flags & 3 else 0)

    packet(0, 2), packet(1, 18), packet(0, 16)
    for n, turn in enumerate(turns):
        for at in range(0, len(turn), 1400):
            packet(n % 2, 24, turn[at:at + 1400])
    packet(0, 17), packet(1, 17), packet(0, 16)
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for n, data in enumerate(packets):
            f.write(struct.pack('<IIII', START, n * 1000, len(data), len(data)) + data)


def tpkt(payload):
    return struct.pack('!BBH', 3, 0, 4 + len(payload)) + payload


def seeds():
    message = lambda kind, payload=b'': struct.pack('!HH', kind, len(payload)) + payload
    device = bytes(8) + bytes.fromhex('00409dffff010203')
    talk('edp/device.pcap', 3197, message(4, b'\0\0\0\2'), message(0x10),
         message(0x20, b'\0\x3c') + message(0x21, b'\0\x3c') + message(0x22, b'\0\5') + message(0x40, b'\0\0\1\x20'),
         message(0x40, b'\0'), message(0x40, b'\0\x80\0') + message(0x40, b'\0\x81' + device) + message(0x40, b'\0\x86en://cloud.example.org'),
         b'', message(0x30), message(0x30))
    talk('ica/signatures.pcap', 1494, b'', b'\x7f\x7fICA\0', b'\x7f\x7fICA\0' + b'\1\x97\0\x97' + bytes(40), b'\x7f\x7fICA\0\0\x0f\0\7' + bytes(20))
    talk('cgp/signatures.pcap', 2598, b'\x1aCGP/01\0\0\0\x10' + bytes(16), b'\x1aCGP/01\1\0\0\x10' + bytes(16))


def text():
    talk('pjl/info.pcap', 9100, b'\x1b%-12345X@PJL INFO ID\r\n', b'@PJL INFO ID\r\n"LASER PRINTER"\r\n\x0c')


def network():
    setup = tpkt(b'\x08\2\x77\xf4\5\4\3\x80\x90\xa5\x7e\0\x10' + bytes(16))
    talk('h323/setup.pcap', 1720, setup, tpkt(b'\x08\2\xf7\xf4\2\x7e\0\4' + bytes(4)), b'', tpkt(b'\x08\2\xf7\xf4\1\x7e\0\4' + bytes(4)))
    phone = lambda kind, body=b'': struct.pack('<III', 4 + len(body), 0, kind) + body
    talk('skinny/register.pcap', 2000, phone(1, b'SEP001122334455\0' + bytes(24)), phone(0x81, bytes(16)) + phone(0x9b), phone(0), phone(0x100))
    talk('radmin/greeting.pcap', 4899, bytes.fromhex('01000000010000000808'), bytes.fromhex('010000002500000212080200000a') + bytes(32))


def charging():
    """Charging records over TCP, a connection of its own; the second request is in two segments with an echo behind it."""
    prime = lambda kind, n, *elements: struct.pack('!BBHH', 0x2e, kind, sum(map(len, elements)), n) + b''.join(elements)
    tlv = lambda kind, value: bytes([kind]) + struct.pack('!H', len(value)) + value
    record = lambda n: b'\xbf\x4f' + struct.pack('!B', 120) + bytes([0x80, 118]) + bytes((n + i) % 251 for i in range(118))
    records = lambda *all: b'\x7e\1' + tlv(252, struct.pack('!BBH', len(all), 1, 0x1c06) + b''.join(struct.pack('!H', len(r)) + r for r in all))
    done = lambda n: b'\1\x80' + tlv(253, struct.pack('!H', n))
    talk('gtp-prime/records-tcp.pcap', 3386, prime(4, 1, tlv(251, A)), prime(5, 1), prime(240, 2, records(record(1))), prime(241, 2, done(2)),
         prime(240, 3, records(*(record(n) for n in range(14)))) + prime(1, 4), prime(241, 3, done(3)) + prime(2, 4, b'\x0e\7'))


if __name__ == '__main__':
    seeds()
    text()
    network()
    charging()
