#!/usr/bin/env python3
"""Compares portproof with nDPI, flow by flow: who names what on the same captures.

usage: compare-ndpi.py [--bin target/release/portproof] [--cache DIR] [--list] FOLDER...

It runs `ndpiReader` (Debian: libndpi-bin), without guesses by port or address, and portproof over every file below the
folders and joins their flows by 5-tuple. Counted are flows in which both programs saw a payload. nDPI's name is its
protocol; of "TLS.Google" that is TLS, since portproof does not tell whose service it is. A second table counts, for each
protocol that both know, who names it; flows of captures with "fuzz" in their name stand apart there. With --list every flow
on which the two disagree is printed as well. Exit status: 0 when it compared, 2 when it could not; it judges nothing.
"""
import argparse, collections, csv, ipaddress, json, os, re, shutil, subprocess, sys, tempfile

# nDPI's names for what has a recogniser here. Names that are not listed are nDPI's alone.
SAME = {
    'AJP': [], 'AMQP': ['amqp'], 'BACnet': ['bacnet'], 'BGP': ['bgp'], 'BitTorrent': ['bittorrent', 'bittorrent-dht', 'utp'],
    'BJNP': ['bjnp'], 'Cassandra': ['cassandra'], 'CHECKMK': [], 'COAP': ['coap'], 'Citrix': ['ica', 'cgp'],
    'DCE_RPC': ['dcerpc'], 'DHCP': ['dhcp'], 'DHCPV6': ['dhcpv6'], 'DNP3': ['dnp3'], 'DNS': ['dns'], 'DTLS': ['dtls'],
    'Diameter': ['diameter'], 'Dropbox': ['dropbox-lansync'], 'EthernetIP': ['enip'], 'FTPS': ['ftp', 'tls'],
    'FTP_CONTROL': ['ftp'], 'FTP_DATA': ['ftp-data'], 'Git': ['git'], 'GTP': ['gtp-c', 'gtp-u', 'gtp-prime'], 'H323': ['h323'],
    'HSRP': ['hsrp'], 'HTTP': ['http', 'rtsp', 'soap'], 'HTTP_Connect': ['http'], 'HTTP_Proxy': ['http'], 'HTTP2': ['http2'],
    'IAX': ['iax'], 'IEC60870': ['iec104'], 'IMAP': ['imap'], 'IMAPS': ['imap', 'tls'], 'IPP': ['http'], 'IPSec': ['ike', 'esp-in-udp'],
    'IPsec': ['ike', 'esp-in-udp', 'esp-in-tcp'], 'IRC': ['irc'], 'Kafka': ['kafka'], 'Kerberos': ['kerberos'],
    'LDAP': ['ldap'], 'LDP': ['ldp'], 'LISP': ['lisp-control', 'lisp-data'], 'LLMNR': ['llmnr'], 'MDNS': ['mdns'], 'MGCP': ['mgcp'], 'MongoDB': ['mongodb'], 'Modbus': ['modbus'],
    'MQTT': ['mqtt'], 'MsSQL-TDS': ['tds'], 'Memcached': ['memcached'], 'MySQL': ['mysql'], 'NAT-PMP': ['nat-pmp'],
    'NetBIOS': ['netbios-ns', 'netbios-dgm', 'netbios-ssn', 'smb'], 'NetFlow': ['netflow', 'ipfix'], 'NFS': ['sunrpc'],
    'NTP': ['ntp'], 'OpenVPN': ['openvpn'], 'Oracle': ['tns'], 'POP3': ['pop3'], 'POPS': ['pop3', 'tls'], 'PPTP': ['pptp'],
    'PostgreSQL': ['postgresql'], 'PostgreSQ': ['postgresql'], 'QUIC': ['quic'], 'Radius': ['radius'], 'RDP': ['rdp'],
    'Redis': ['redis'], 'RTMP': ['rtmp'], 'RTCP': ['rtcp', 'rtp'], 'RTP': ['rtp', 'rtcp'], 'RTSP': ['rtsp'], 'RSYNC': ['rsync'],
    'RX': ['rx'], 'SIP': ['sip'], 'SMBv1': ['smb'], 'SMBv23': ['smb'], 'SMPP': ['smpp'], 'SMTP': ['smtp'], 'SMTPS': ['smtp', 'tls'],
    'SNMP': ['snmp'], 'SOCKS': ['socks'], 'SOAP': ['http', 'soap'], 'SSDP': ['ssdp'], 'SSH': ['ssh'], 'STUN': ['stun', 'rtp', 'dtls'],
    'Syslog': ['syslog'], 'TFTP': ['tftp'], 'TINC': ['tinc'], 'TLS': ['tls'], 'Telnet': ['telnet'], 'Teredo': ['teredo'],
    'TPKT': ['tpkt', 'rdp', 's7comm', 'h323'], 'Usenet': ['nntp'], 'VNC': ['rfb'], 'VXLAN': ['vxlan'], 'Whois-DAS': ['whois'],
    'WireGuard': ['wireguard'], 'XDMCP': ['xdmcp'], 'Jabber': ['xmpp'], 'ZABBIX': ['zabbix'], 'Zabbix': ['zabbix'], 's7comm': ['s7comm'],
    'sFlow': ['sflow'], 'CiscoSkinny': ['skinny'], 'RADIUS': ['radius'], 'SRTP': ['rtp'], 'RemoteScan': ['rscan'],
}
# Rows of the table by protocol: what one of the two calls by several names.
ROWS = [
    'amqp', 'bgp', 'bittorrent bittorrent-dht utp', 'cassandra', 'coap', 'dcerpc', 'dhcp', 'dhcpv6', 'diameter', 'dnp3', 'dns',
    'dtls', 'ftp', 'ftp-data', 'git', 'gtp-c gtp-u gtp-prime', 'h323', 'http', 'http2', 'ica cgp', 'ike esp-in-udp esp-in-tcp', 'imap',
    'irc', 'kafka', 'kerberos', 'ldap', 'llmnr', 'mdns', 'memcached', 'modbus', 'mongodb', 'mqtt', 'mysql',
    'netbios-ns netbios-dgm netbios-ssn', 'ntp', 'openvpn', 'pop3', 'postgresql', 'pptp', 'quic', 'radius', 'rdp', 'redis', 'rfb',
    'rsync', 'rtmp', 'rtp rtcp', 'rtsp', 's7comm', 'sip', 'smb', 'smtp', 'snmp', 'socks', 'ssdp', 'ssh', 'stun', 'sunrpc', 'syslog',
    'telnet', 'teredo', 'tftp', 'tinc', 'tls', 'vxlan', 'wireguard', 'x11', 'xmpp',
]
UNNAMED = ('Unknown', '')
WITHOUT_PORTS = ('ICMP', 'ICMPV6', 'IGMP', 'GRE', 'SCTP', 'OSPF', 'EGP', 'VRRP', 'IP_in_IP', 'PIM')


def end(ip, port):
    try:
        ip = str(ipaddress.ip_address(ip))
    except ValueError:
        pass
    return ip, int(port)


def key(transport, a, b):
    return transport, *sorted((a, b))


def ndpi(path, cache):
    """nDPI's flows of a capture: 5-tuple -> (names, payload seen)."""
    table = os.path.join(cache, os.path.basename(path) + '.csv')
    if not os.path.exists(table):
        # -d: no guesses by port or address; -I: one flow whatever its VLAN tags; -v 2: the table holds every flow.
        command = ['ndpiReader', '-i', path, '-d', '-I', '-v', '2', '-C', table]
        try:
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        except subprocess.TimeoutExpired:
            pass
    flows = {}
    if not os.path.exists(table):
        return flows
    for row in csv.reader(open(table, encoding='utf-8', errors='replace')):
        if len(row) < 18 or row[0].startswith('#') or row[1] not in ('6', '17'):
            continue
        transport = 'tcp' if row[1] == '6' else 'udp'
        try:
            k = key(transport, end(row[5], row[6]), end(row[7], row[8]))
        except ValueError:
            continue
        names, payload = flows.get(k, (set(), False))
        flows[k] = (names | {row[10]}, payload or int(row[14]) > 0 or int(row[17]) > 0)
    return flows


def ours(binary, paths):
    """Our flows: capture -> 5-tuple -> (names, payload seen, flow number)."""
    found = collections.defaultdict(dict)
    for at in range(0, len(paths), 200):
        run = subprocess.run([binary, 'read', '--output', 'jsonl', *paths[at:at + 200]], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, errors='replace')
        for line in run.stdout.splitlines():
            d = json.loads(line)
            if d['type'] != 'flow':
                continue
            k = key(d['transport'], end(d['client']['ip'], d['client']['port']), end(d['server']['ip'], d['server']['port']))
            names, payload, number = found[d['capture']].get(k, (set(), False, d['flow_id']))
            names = names | {d['protocol'], *d['also']}
            payload = payload or sum(d['bytes'].values()) > 0
            found[d['capture']][k] = names, payload, number
    return found


def verdict(mine, theirs):
    """How the two relate on one flow: mine is our set of names, theirs nDPI's name."""
    mine = mine - {'unknown'}
    if theirs in UNNAMED:
        return 'only portproof' if mine else 'neither'
    if not mine:
        return 'only nDPI'
    parts = theirs.split('.')
    accepted = {name for part in parts for name in SAME.get(part, ())}
    if not any(part in SAME for part in parts):
        return 'service'  # nDPI says whose service it is, or something that has no recogniser here
    return 'same' if mine & accepted else 'different'


def first(name):
    """The first of the names here that nDPI's stands for."""
    return next((accepted[0] for part in name.split('.') if (accepted := SAME.get(part))), None)


def by_protocol(counts):
    """The table by protocol, from counts of (row, who, whether the capture is fuzzed)."""
    print('\n| protocol | both | portproof alone | nDPI alone | of these fuzzed |\n| --- | --- | --- | --- | --- |')
    for row in ROWS:
        both, mine, theirs = (sum(counts[row, who, fuzzed] for fuzzed in (False, True)) for who in ('both', 'mine', 'theirs'))
        if both + mine + theirs:
            print(f'| {row} | {both} | {mine} | {theirs} | {counts[row, "theirs", True] or ""} |')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folders', nargs='*')
    parser.add_argument('--bin', default='target/release/portproof')
    parser.add_argument('--cache', help="keep nDPI's tables here, for the next run")
    parser.add_argument('--list', action='store_true', help='print every flow on which the two disagree')
    args = parser.parse_args()
    if not shutil.which('ndpiReader'):
        return 'skipped: ndpiReader is not installed (Debian: libndpi-bin)'
    if not os.path.exists(args.bin):
        return f'skipped: {args.bin} is not built'
    corpus = os.environ.get('PORTPROOF_CORPUS', '../shared/captures')
    folders = args.folders or [os.path.join(corpus, part) for part in ('lab', 'real')]
    version = subprocess.run(['ndpiReader', '-h'], capture_output=True, text=True).stdout
    version = (re.search(r'nDPI [\d.]+', version) or ['nDPI'])[0]
    own = subprocess.run([args.bin, '--version'], capture_output=True, text=True).stdout.strip()
    compared = False
    for folder in folders:
        paths = sorted(os.path.join(where, name) for where, _, names in os.walk(folder) for name in names)
        if not paths:
            print(f'skipped: no captures in {folder}')
            continue
        compared = True
        with tempfile.TemporaryDirectory() as temporary:
            cache = os.path.join(args.cache, os.path.basename(folder.rstrip('/'))) if args.cache else temporary
            os.makedirs(cache, exist_ok=True)
            mine, kinds, pairs, right = ours(args.bin, paths), collections.Counter(), collections.defaultdict(list), collections.Counter()
            for path in paths:
                theirs = ndpi(path, cache)
                for k, (names, payload, number) in sorted(mine.get(path, {}).items()):
                    if k not in theirs or not payload or not theirs[k][1]:
                        continue
                    named = sorted(n for n in theirs[k][0] if n not in UNNAMED)
                    name = named[0] if named else 'Unknown'
                    kind = verdict(names, name)
                    kinds[kind] += 1
                    parts = {accepted for part in name.split('.') for accepted in SAME.get(part, ())}
                    for row in ROWS:
                        here, there = (not names.isdisjoint(row.split()), not parts.isdisjoint(row.split()))
                        # A name that stands for several protocols counts where portproof puts the flow, or in its first row.
                        there = there and (here or not (names & parts or row.split()[0] != first(name)))
                        if here or there:
                            who = 'both' if here and there else 'mine' if here else 'theirs'
                            right[row, who, 'fuzz' in os.path.basename(path)] += 1
                    own_names = '+'.join(sorted(names - {'unknown'})) or 'unknown'
                    if kind not in ('same', 'neither'):
                        pairs[kind, own_names, name.split('.')[0] if kind != 'service' else name].append((path, number))
        total = sum(kinds.values())
        mine_named = total - kinds['only nDPI'] - kinds['neither']
        theirs_named = total - kinds['only portproof'] - kinds['neither']
        print(f'## {os.path.basename(folder.rstrip("/"))}: {total} flows with payload that both saw\n')
        print('| | flows | share |\n| --- | --- | --- |')
        for what, count in [(f'named by {own}', mine_named), (f'named by {version}', theirs_named)]:
            print(f'| {what} | {count} | {100 * count / max(1, total):.1f} % |')
        for kind in ['same', 'different', 'service', 'only portproof', 'only nDPI', 'neither']:
            print(f'| {kind} | {kinds[kind]} | {100 * kinds[kind] / max(1, total):.1f} % |')
        print('\n| portproof | nDPI | flows | first seen in |\n| --- | --- | --- | --- |')
        for (kind, a, b), where in sorted(pairs.items(), key=lambda item: -len(item[1])):
            if kind in ('different', 'only nDPI'):
                print(f'| {a} | {b} | {len(where)} | {os.path.basename(where[0][0])}, flow {where[0][1]} |')
        by_protocol(right)
        if args.list:
            for (kind, a, b), where in sorted(pairs.items()):
                for path, number in where:
                    print('\t'.join(['list', kind, a, b, path, str(number)]))
        print()
    return 0 if compared else 'skipped: no captures; name folders or set PORTPROOF_CORPUS'


if __name__ == '__main__':
    sys.exit(main())
