#!/usr/bin/env python3
"""Writes those captures of protocols over TCP for which no real peers were at hand: messages built by hand after the
specifications that the recognisers cite, each in a connection of its own.

usage: generate_tcp.py [DIR]      (default: the directory of this file; same input, same bytes)
"""
import os, struct, sys, zlib

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
START = 1_760_000_000
A, B = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def random(n, seed=1):
    """n bytes that look random and are always the same."""
    out = b''
    while len(out) < n:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        out += struct.pack('!I', seed >> 32)
    return out[:n]


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

    def spa(body):
        data, crc = bytes([len(body) + 2]) + body, 2
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = (crc << 1 ^ 7 if crc & 128 else crc << 1) & 255
        return b'\x7e' + data + bytes([crc ^ 2]) + b'\x7e'
    status = spa(bytes.fromhex('ffaf13') + bytes([0, 0, 94, 12, 30, 0, 0, 0, 0, 0, 4] + [0] * 13))
    talk('balboa/module.pcap', 4257, spa(bytes.fromhex('0abf22000001')), status * 3, spa(bytes.fromhex('0abf04')), status * 2)
    talk('ica/signatures.pcap', 1494, b'', b'\x7f\x7fICA\0', b'\x7f\x7fICA\0' + b'\1\x97\0\x97' + bytes(40), b'\x7f\x7fICA\0\0\x0f\0\7' + bytes(20))
    talk('cgp/signatures.pcap', 2598, b'\x1aCGP/01\0\0\0\x10' + bytes(16), b'\x1aCGP/01\1\0\0\x10' + bytes(16))
    host = lambda name: bytes([len(name)]) + name
    talk('socks/version-4a.pcap', 1080, b'\4\1\0\x50\0\0\0\1joe\0a.example.org\0', b'\0\x5a\0\x50\xc0\0\2\3')
    login = b'\5\1\0\3' + host(b'a.example.org') + b'\0\x50'
    talk('socks/version-5-login.pcap', 1080, b'\5\2\0\2', b'\5\2', b'\1\3joe\6secret', b'\1\0', login, b'\5\0\0\1\xc0\0\2\3\0\x50')


def text():
    talk('nntp/reader.pcap', 119, b'', b'200 news.example.org NNTP server ready\r\n', b'MODE READER\r\n', b'200 reading allowed\r\n',
         b'GROUP misc.test\r\n', b'211 3 1 3 misc.test\r\n', b'QUIT\r\n', b'205 bye\r\n')
    menu = b'iWelcome\tx\terror.host\t1\r\n1Files\t/files\tg.example.org\t70\r\n0About\t/about\tg.example.org\t70\r\n.\r\n'
    talk('gopher/menu.pcap', 70, b'\r\n', menu)
    talk('whois/domain.pcap', 43, b'example.org\r\n', b'% WHOIS server\r\n\r\ndomain:       EXAMPLE.ORG\r\nrefer:        whois.example.net\r\n'
         b'nserver:      A.EXAMPLE.NET\r\n')
    talk('pjl/info.pcap', 9100, b'\x1b%-12345X@PJL INFO ID\r\n', b'@PJL INFO ID\r\n"LASER PRINTER"\r\n\x0c')
    talk('postscript/job.pcap', 9100, b'%!PS-Adobe-3.0\n%%Title: test\n%%EndComments\nshowpage\n%%EOF\n')


def windows():
    header = lambda kind, length: struct.pack('<BBBB4sHHI', 5, 0, kind, 3, b'\x10\0\0\0', length, 0, 1)
    syntax = bytes.fromhex('0883afe11f5dc91191a408002b14a0fa0300000004') + bytes.fromhex('5d888aeb1cc9119fe808002b10486002000000')
    bind = struct.pack('<HHIBBHHBB', 4280, 4280, 0, 1, 0, 0, 0, 1, 0) + syntax + b'\0'
    ack = struct.pack('<HHI', 4280, 4280, 9) + b'\4\000135\0\0\0' + b'\1\0\0\0' + bytes(24)
    talk('dcerpc/bind.pcap', 135, header(11, 16 + len(bind)) + bind, header(12, 16 + len(ack)) + ack)
    request = tpkt(b'\x0e\xe0\0\0\0\0\0' + b'\1\0\x08\0\x0b\0\0\0')
    talk('rdp/negotiation.pcap', 3389, request, tpkt(b'\x0e\xd0\0\0\x12\x34\0' + b'\2\x1f\x08\0\2\0\0\0'))
    cookie = b'Cookie: mstshash=joe\r\n' + b'\1\0\x08\0\3\0\0\0'
    talk('rdp/cookie.pcap', 3389, tpkt(bytes([6 + len(cookie)]) + b'\xe0\0\0\0\0\0' + cookie), tpkt(b'\x0e\xd0\0\0\x12\x34\0' + b'\2\x1f\x08\0\1\0\0\0'))
    options = b'\0\0\x15\0\6\1\0\x1b\0\1\2\0\x1c\0\x0c\3\0\x28\0\4\xff' + bytes(23)
    talk('tds/pre-login.pcap', 1433, struct.pack('!BBHHBB', 0x12, 1, 8 + len(options), 0, 0, 0) + options,
         struct.pack('!BBHHBB', 4, 1, 8 + len(options), 0, 1, 0) + options)


def industry():
    interrogation = b'\x68\x0e\0\0\0\0\x64\1\6\0\1\0\0\0\0\x14'
    talk('iec104/interrogation.pcap', 2404, b'\x68\4\7\0\0\0', b'\x68\4\x0b\0\0\0', interrogation, b'\x68\x0e\0\0\2\0\x64\1\7\0\1\0\0\0\0\x14',
         b'\x68\4\1\0\2\0')

    def dnp3(header, data=b''):
        def crc(block):
            value = 0
            for byte in block:
                value ^= byte
                for _ in range(8):
                    value = value >> 1 ^ 0xa6bc if value & 1 else value >> 1
            return block + struct.pack('<H', value ^ 0xffff)
        return crc(header) + (crc(data) if data else b'')
    talk('dnp3/read.pcap', 20000, dnp3(b'\x05\x64\x0b\xc4\2\0\3\0', b'\xc0\xc0\1\x3c\1\6'), dnp3(b'\x05\x64\x0a\x44\3\0\2\0', b'\xc0\xc0\x81\0\0'))
    session = struct.pack('<HHII8sI', 0x65, 4, 0, 0, bytes(8), 0) + b'\1\0\0\0'
    talk('enip/register.pcap', 44818, session, session[:4] + b'\7\1\0\0' + session[8:])
    url = b'opc.tcp://plc.example.org:4840'
    hello = b'HELF' + struct.pack('<IIIIIII', 32 + len(url), 0, 65536, 65536, 0, 0, len(url)) + url
    talk('opcua/hello.pcap', 4840, hello, b'ACKF' + struct.pack('<IIIIII', 28, 0, 65536, 65536, 0, 0))
    request = tpkt(b'\x11\xe0\0\0\0\4\0\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2')
    confirm = tpkt(b'\x11\xd0\0\4\0\x09\0\xc0\1\x0a\xc1\2\1\0\xc2\2\1\2')
    job = tpkt(b'\2\xf0\x80' + struct.pack('!BBHHHH', 0x32, 1, 0, 1, 8, 0) + b'\xf0\0\0\1\0\1\1\xe0')
    done = tpkt(b'\2\xf0\x80' + struct.pack('!BBHHHHH', 0x32, 3, 0, 1, 8, 0, 0) + b'\xf0\0\0\1\0\1\0\xf0')
    talk('s7comm/setup.pcap', 102, request, confirm, job, done)
    initiate = tpkt(b'\2\xf0\x80' + b'\x0d\x2e' + bytes(46))
    talk('tpkt/mms.pcap', 102, request, confirm, initiate, tpkt(b'\2\xf0\x80' + b'\x0e\x2e' + bytes(46)))


def network():
    start = lambda kind: struct.pack('!HHIHHHH', 156, 1, 0x1a2b3c4d, kind, 0, 0x100, 1 if kind == 2 else 0) + bytes(12) + b'host.example'.ljust(64, b'\0') + b'vendor'.ljust(64, b'\0')
    ldp = lambda router: struct.pack('!HHIHHHIHHHHHIH', 1, 32, router, 0, 0x200, 22, 1, 0x500, 14, 1, 180, 0, router ^ 3, 0)
    talk('ldp/initialization.pcap', 646, ldp(0x0a000001), ldp(0x0a000002))

    def diameter(flags, *avps):
        body = b''.join(struct.pack('!IB', code, 0x40) + struct.pack('!I', 8 + len(value))[1:] + value + bytes(-len(value) % 4) for code, value in avps)
        return struct.pack('!I', 1 << 24 | 20 + len(body)) + struct.pack('!IIII', flags << 24 | 257, 0, 0x2ea49302, 0x6f000030) + body
    identity = ((264, b'client.example.org'), (296, b'example.org'))
    talk('diameter/capabilities.pcap', 3868, diameter(0x80, *identity), diameter(0, (268, struct.pack('!I', 2001)), *identity))
    setup = tpkt(b'\x08\2\x77\xf4\5\4\3\x80\x90\xa5\x7e\0\x10' + bytes(16))
    talk('h323/setup.pcap', 1720, setup, tpkt(b'\x08\2\xf7\xf4\2\x7e\0\4' + bytes(4)), b'', tpkt(b'\x08\2\xf7\xf4\1\x7e\0\4' + bytes(4)))
    phone = lambda kind, body=b'': struct.pack('<III', 4 + len(body), 0, kind) + body
    talk('skinny/register.pcap', 2000, phone(1, b'SEP001122334455\0' + bytes(24)), phone(0x81, bytes(16)) + phone(0x9b), phone(0), phone(0x100))
    talk('radmin/greeting.pcap', 4899, bytes.fromhex('01000000010000000808'), bytes.fromhex('010000002500000212080200000a') + bytes(32))
    peer = b'\x13BitTorrent protocol' + bytes(5) + b'\x10\0\5' + random(20)
    talk('bittorrent/handshake.pcap', 6881, peer + b'-XX0001-' + random(12, 2), peer + b'-YY0001-' + random(12, 3))


def databases():
    body = b'\0\0\0\0' + b'\0' + struct.pack('<I', 31) + b'\x10hello\0\1\0\0\0\2$db\0\6\0\0\0admin\0\0'
    message = lambda number, to: struct.pack('<IIII', 16 + len(body), number, to, 2013) + body
    talk('mongodb/hello.pcap', 27017, message(70000, 0), message(5, 70000))
    version = b'8.0.36\0' + struct.pack('<I', 8) + b'abcdefgh\0' + b'\xff\xff\xff\2\0\xff\xdf\x15' + bytes(10) + b'ijklmnopqrst\0mysql_native_password\0'
    packet = lambda number, data: struct.pack('<I', len(data))[:3] + bytes([number]) + data
    login = struct.pack('<IIB', 0x01ffa685, 1 << 24, 45) + bytes(23) + b'joe\0\x14' + random(20) + b'mysql_native_password\0'
    frame = lambda first, opcode, data=b'': struct.pack('!BBhBI', first, 0, 0, opcode, len(data)) + data
    startup = b'\0\1\0\x0bCQL_VERSION\0\x053.0.0'
    talk('cassandra/options.pcap', 9042, frame(4, 5), frame(0x84, 6, b'\0\0'), frame(4, 1, startup), frame(0x84, 2))
    talk('bolt/handshake.pcap', 7687, bytes.fromhex('6060b017') + bytes([0, 2, 4, 5, 0, 0, 4, 4, 0, 0, 0, 3, 0, 0, 0, 0]), bytes([0, 0, 3, 5]))
    request = struct.pack('!hhiH', 18, 3, 4097, 7) + b'rdkafka\0\x0blibrdkafka\x061.0\0'
    answer = struct.pack('!ihI', 4097, 0, 2) + bytes(12)
    talk('kafka/versions.pcap', 9092, struct.pack('!I', len(request)) + request, struct.pack('!I', len(answer)) + answer)
    properties = b'\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US'
    json = b'{"request":"agent data","host":"a"}'
    reply = zlib.compress(b'{"response":"success"}')
    talk('zabbix/agent.pcap', 10051, b'ZBXD\1' + struct.pack('<II', len(json), 0) + json, b'ZBXD\3' + struct.pack('<II', len(reply), 22) + reply)


if __name__ == '__main__':
    seeds()
    text()
    windows()
    industry()
    network()
    databases()
