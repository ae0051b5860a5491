//! What is counted of every flow, decided or not: a fixed number of bytes, no payload.

use super::{Dir, FlowKey};
use crate::packet::{Endpoint, Packet, TcpFields, Time};

/// Counters and TCP handshake facts of one flow. Pairs are (originator, responder).
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its identity.
    pub key: FlowKey,
    /// Time of the first packet.
    pub first: Time,
    /// Time of the latest packet.
    pub last: Time,
    /// Frame number of the first packet.
    pub first_frame: u64,
    /// Packets, with and without payload.
    pub packets: [u64; 2],
    /// Payload bytes on the wire.
    pub bytes: [u64; 2],
    /// Captured payload bytes, up to 255: enough to know whether there was something to judge.
    pub visible: [u8; 2],
    /// Outermost VLAN identifier of the first packet.
    pub vlan: Option<u16>,
    /// Packets that were seen again, and not counted again.
    pub duplicates: u32,
    initial: [u32; 2],
    acknowledged: [u32; 2],
    facts: u16,
}

const LOW_ORIGINATES: u16 = 1;
const SYN: [u16; 2] = [2, 4];
const FIN: [u16; 2] = [8, 16];
const RST: [u16; 2] = [32, 64];
const ACK: [u16; 2] = [128, 256];
const HEARD: [u16; 2] = [512, 1024];
const LONG: u16 = 2048;
const CUT: u16 = 4096;
const REFUSED: [u16; 2] = [8192, 16384];

impl Flow {
    /// A flow that begins with `packet`, not yet counted. `from_low`: the key's lesser end sent it.
    pub fn new(key: FlowKey, packet: &Packet, from_low: bool) -> Self {
        // A SYN-ACK is the responder's first packet.
        let originates = !packet.tcp.is_some_and(|tcp| tcp.syn && tcp.ack);
        Self {
            key,
            first: packet.time,
            last: packet.time,
            first_frame: packet.frame,
            packets: [0; 2],
            bytes: [0; 2],
            visible: [0; 2],
            vlan: packet.vlan,
            duplicates: 0,
            initial: [0; 2],
            acknowledged: [0; 2],
            facts: if from_low == originates { LOW_ORIGINATES } else { 0 },
        }
    }

    /// The direction of a packet sent by the key's lesser (or greater) end.
    pub fn dir(&self, from_low: bool) -> Dir {
        if from_low == self.has(LOW_ORIGINATES) { Dir::Originator } else { Dir::Responder }
    }

    /// The end that sends in this direction.
    pub fn end(&self, dir: Dir) -> Endpoint {
        if self.has(LOW_ORIGINATES) == (dir == Dir::Originator) { self.key.low } else { self.key.high }
    }

    /// Reads a little of each part, so that it comes into the caches; what it gives means nothing.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        u64::from(self.key.low.port) ^ self.last.0 as u64 ^ self.bytes[1] ^ u64::from(self.facts)
    }

    fn has(&self, fact: u16) -> bool {
        self.facts & fact != 0
    }

    /// Counts a packet with `captured` bytes of payload at hand.
    pub fn count(&mut self, packet: &Packet, dir: Dir, captured: usize) {
        self.last = self.last.max(packet.time);
        *dir.of_mut(&mut self.packets) += 1;
        *dir.of_mut(&mut self.bytes) += u64::from(packet.wire_len);
        let visible = dir.of_mut(&mut self.visible);
        *visible = visible.saturating_add(captured.min(255) as u8);
        if packet.wire_len > 1 {
            self.facts |= LONG;
        }
        if captured < packet.wire_len as usize {
            self.facts |= CUT;
        }
        if let Some(tcp) = packet.tcp {
            self.count_tcp(&tcp, dir);
        }
    }

    /// What was captured of the payloads is not looked at: as if it had been cut.
    pub fn overlook(&mut self) {
        self.visible = [0, 0];
        self.facts |= CUT;
    }

    fn count_tcp(&mut self, tcp: &TcpFields, dir: Dir) {
        if tcp.syn {
            *dir.of_mut(&mut self.initial) = tcp.sequence;
            self.facts |= dir.of(&SYN);
        }
        if tcp.fin {
            self.facts |= dir.of(&FIN);
        }
        if tcp.rst {
            self.facts |= dir.of(&RST);
        } else if tcp.ack {
            // What is acknowledged beyond the first acknowledgement (the handshake's) are bytes of the peer.
            let first = dir.of_mut(&mut self.acknowledged);
            if self.facts & dir.of(&ACK) == 0 {
                *first = tcp.acknowledgement;
                self.facts |= dir.of(&ACK);
            } else if (tcp.acknowledgement.wrapping_sub(*first) as i32) > 1 {
                self.facts |= dir.of(&HEARD);
            }
        }
    }

    /// The sequence number of a direction's SYN, if it was seen.
    pub fn syn(&self, dir: Dir) -> Option<u32> {
        self.has(*dir.of(&SYN)).then_some(*dir.of(&self.initial))
    }

    /// Whether a SYN of either side showed who opened the connection.
    pub fn opening_seen(&self) -> bool {
        self.has(SYN[0] | SYN[1])
    }

    /// Whether `packet` cannot belong to this flow any more but opens a new connection between the same ends.
    pub fn is_reopened_by(&self, packet: &Packet, dir: Dir) -> bool {
        let Some(tcp) = packet.tcp.filter(|tcp| tcp.syn && !tcp.ack) else { return false };
        let closed = self.is_closed();
        let other = self.syn(dir).is_some_and(|initial| initial != tcp.sequence);
        closed || (other && self.bytes != [0, 0])
    }

    /// Whether the TCP connection was reset, or closed by both sides.
    pub fn is_closed(&self) -> bool {
        self.has(RST[0] | RST[1]) || (self.has(FIN[0]) && self.has(FIN[1]))
    }

    /// Notes that a packet to the sender of `dir` was not delivered (ICMP).
    pub fn refuse(&mut self, dir: Dir) {
        self.facts |= dir.of(&REFUSED);
    }

    /// Whether the sender of `dir` refused: by a TCP reset, or ICMP said that nobody is there.
    pub fn refused_by(&self, dir: Dir) -> bool {
        self.has(*dir.of(&REFUSED) | *dir.of(&RST))
    }

    /// Whether TCP acknowledgements show that `dir` sent payload, captured or not.
    pub fn acknowledged(&self, dir: Dir) -> bool {
        self.has(*dir.other().of(&HEARD))
    }

    /// Whether no payload was longer than one byte.
    pub fn tiny_only(&self) -> bool {
        !self.has(LONG)
    }

    /// Whether the snaplen cut a payload.
    pub fn cut(&self) -> bool {
        self.has(CUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Ip, Transport};

    fn packet(from: u8, tcp: TcpFields, len: u32) -> Packet {
        let end = |n: u8| Endpoint { ip: Ip::v4([10, 0, 0, n]), port: 1000 + u16::from(n) };
        Packet { transport: Transport::Tcp, tcp: Some(tcp), wire_len: len, ..Packet::between(end(from), end(3 - from)) }
    }

    fn tcp(flags: &str, sequence: u32, acknowledgement: u32) -> TcpFields {
        let has = |c| flags.contains(c);
        TcpFields { sequence, acknowledgement, syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R') }
    }

    fn flow_of(packets: &[Packet]) -> Flow {
        let (key, from_low) = FlowKey::of(&packets[0]);
        let mut flow = Flow::new(key, &packets[0], from_low);
        for p in packets {
            let dir = flow.dir(FlowKey::of(p).1);
            flow.count(p, dir, 0);
        }
        flow
    }

    #[test]
    fn a_syn_ack_first_shows_who_opened() {
        let flow = flow_of(&[packet(2, tcp("SA", 5, 1), 0)]);
        assert_eq!(flow.end(Dir::Originator).port, 1001);
        assert!(flow.opening_seen());
    }

    #[test]
    fn acknowledgements_show_bytes_of_the_other_side() {
        let silent =
            flow_of(&[packet(1, tcp("S", 9, 0), 0), packet(1, tcp("A", 10, 70), 0), packet(1, tcp("A", 10, 70), 5)]);
        assert!(!silent.acknowledged(Dir::Responder));
        let heard = flow_of(&[packet(1, tcp("A", 10, 70), 0), packet(1, tcp("A", 15, 170), 0)]);
        assert!(heard.acknowledged(Dir::Responder) && !heard.acknowledged(Dir::Originator));
    }

    #[test]
    fn a_new_syn_after_the_end_opens_a_new_flow() {
        let flow = flow_of(&[packet(1, tcp("S", 9, 0), 0), packet(2, tcp("RA", 0, 10), 0)]);
        let again = packet(1, tcp("S", 77, 0), 0);
        assert!(flow.is_reopened_by(&again, Dir::Originator));
        let retransmitted = flow_of(&[packet(1, tcp("S", 9, 0), 0)]);
        assert!(!retransmitted.is_reopened_by(&packet(1, tcp("S", 9, 0), 0), Dir::Originator));
    }
}
