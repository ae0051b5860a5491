//! The control channel: resets, session IDs, packet IDs, message IDs and TLS hellos, read under each way of wrapping;
//! the way that explains most is the one that is reported.

use super::families::*;
use super::items::Items;
use super::message::Message;
use super::resets::RESEND_TLV;
use crate::flow::Dir;
use crate::protocol::evidence::sum;
use crate::protocol::{Bits, Evidence};
use crate::wire::openvpn::{Control, Opcode, SessionId, Wrap};
use smallvec::SmallVec;

/// A clock may be this wrong, seconds.
pub(super) const DAY: i64 = 86_400;
/// Packet IDs of a client with tls-crypt-v2 start here (0x0a010000 in early builds).
pub(super) const EARLY_START: [u32; 2] = [0x0f00_0000, 0x0a01_0000];

/// What the control channel shows.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) evidence: Vec<Evidence>,
    /// "tls-auth-sha256"; none if only a renegotiation was seen, whose wrap need not be the session's.
    pub(super) variant: Option<&'static str>,
    pub(super) server: Option<Dir>,
    pub(super) spoke: [bool; 2],
    pub(super) implied: [bool; 2],
    /// The session IDs, each direction's own.
    pub(super) sessions: [Option<SessionId>; 2],
}

impl Reading {
    pub(super) fn bits(&self) -> Bits {
        sum(&self.evidence)
    }
}

/// Reads the control channel of `messages`. `None` if nothing speaks for one.
pub(super) fn read(messages: &[Message<'_>]) -> Option<Reading> {
    if !may_show(messages.iter(), 0) {
        return None;
    }
    let all: Vec<Packet<'_>> = messages.iter().filter_map(Packet::new).collect();
    let mut packets = all.clone();
    packets.retain(|p| !p.is_no_reset(&all));
    let sessions = Dir::BOTH.map(|dir| main_session(&packets, dir));
    // Where resets are, they are few; elsewhere random first bytes are control opcodes in one packet of nine.
    packets.retain(|p| *p.message.dir.of(&sessions) == Some(p.control.session()));
    if !may_show(packets.iter().map(|p| p.message), 0) {
        return None;
    }
    let read = Wrap::ALL.into_iter().filter_map(|wrap| Hypothesis { wrap, packets: &packets, sessions }.read());
    // Of equal ones the first: fewer assumptions.
    read.fold(None, |best: Option<Reading>, next| match best {
        Some(best) if best.bits() >= next.bits() => Some(best),
        _ => Some(next),
    })
}

/// Whether packets with such first bytes, XOR `mask`, can show a control channel: one of the first key, a soft reset of a
/// known length, or two of one side.
pub(super) fn may_show<'m>(mut messages: impl Iterator<Item = &'m Message<'m>>, mask: u8) -> bool {
    let mut seen = [0; 2];
    messages.any(|m| match m.first().and_then(|first| Opcode::of(first ^ mask)) {
        Some((opcode, key)) if opcode.is_control() => {
            let reset = |wrap: &Wrap| [0, 1].map(|acks| wrap.reset_len(acks)).contains(&m.len);
            let seen = m.dir.of_mut(&mut seen);
            *seen += 1;
            key == 0 || *seen == 2 || opcode == Opcode::SOFT_RESET && Wrap::ALL.iter().any(reset)
        }
        _ => false,
    })
}

#[derive(Clone, Copy)]
pub(super) struct Packet<'m> {
    pub(super) message: &'m Message<'m>,
    pub(super) control: Control<'m>,
}

impl<'m> Packet<'m> {
    fn new(message: &'m Message<'m>) -> Option<Self> {
        let control = Control::new(message.bytes, message.len)?;
        let shortest = if control.opcode() == Opcode::ACK { 22 } else { 14 };
        (message.len >= shortest).then_some(Self { message, control })
    }

    pub(super) fn frame(&self) -> u64 {
        self.message.frame
    }

    /// Whether it has the opcode of a hard reset, but its side sends such packets in more lengths than two: with and
    /// without an acknowledgement. Protocols with a constant first byte do.
    fn is_no_reset(&self, all: &[Self]) -> bool {
        let opcode = self.control.opcode();
        if !opcode.is_client_reset() && !opcode.is_server_reset() {
            return false;
        }
        let alike = |p: &&Self| p.message.dir == self.message.dir && p.control.opcode() == opcode;
        let mut others = all.iter().filter(alike).map(|p| p.message.len).filter(|len| *len != self.message.len);
        others.next().is_some_and(|second| others.any(|len| len != second))
    }

    /// The time stamp under `wrap`, if it is within a day of the capture's.
    pub(super) fn clock(&self, wrap: Wrap) -> Option<i64> {
        let time = i64::from(self.control.replay(wrap)?.time);
        let off = time - self.message.time.seconds();
        (off.abs() <= DAY).then_some(off)
    }

    /// Whether the packet ID under `wrap` can be an early one. True as well when it is not visible: then `None`.
    pub(super) fn early_id(&self, wrap: Wrap) -> Option<bool> {
        let id = self.control.replay(wrap)?.packet_id;
        Some((1..=64).contains(&id) || EARLY_START.iter().any(|start| (1..=64).contains(&id.wrapping_sub(*start))))
    }
}

/// The session ID that most control packets of `dir` carry, resets first.
fn main_session(packets: &[Packet<'_>], dir: Dir) -> Option<SessionId> {
    let mut seen: SmallVec<[(SessionId, usize, bool); 16]> = SmallVec::new();
    for packet in packets.iter().filter(|p| p.message.dir == dir) {
        let (id, opcode) = (packet.control.session(), packet.control.opcode());
        let reset = opcode.is_client_reset() || opcode.is_server_reset();
        match seen.iter_mut().find(|(known, ..)| *known == id) {
            Some((_, count, resets)) => (*count, *resets) = (*count + 1, *resets || reset),
            None => seen.push((id, 1, reset)),
        }
    }
    let rank = |(_, count, reset): &(SessionId, usize, bool)| (*count > 1, count + usize::from(*reset));
    // Of equal ones the first.
    seen.iter().rev().max_by_key(|session| rank(session)).map(|(id, ..)| *id)
}

pub(super) struct Hypothesis<'m> {
    pub(super) wrap: Wrap,
    pub(super) packets: &'m [Packet<'m>],
    pub(super) sessions: [Option<SessionId>; 2],
}

impl Hypothesis<'_> {
    fn read(&self) -> Option<Reading> {
        let (mut items, mut later) = (Items::default(), Items::default());
        self.resets(&mut items);
        // Most ways of wrapping show nothing at all.
        let shows = |p: &Packet<'_>| p.control.body(self.wrap).is_some() || p.clock(self.wrap).is_some();
        if items.is_empty() && !self.packets.iter().any(shows) {
            return None;
        }
        let implied = self.bodies(&mut later)?;
        self.replay(&mut later)?;
        if items.is_empty() && later.is_empty() {
            return None;
        }
        self.sessions(&mut items);
        items.append(later);
        // Constant and random IDs, small numbers and times occur in many headers; by themselves they are no hint.
        let anchors = [&CLIENT_RESET, &SERVER_RESET, &RESET_LENGTHS, &ECHO, &HELLO, &SOFT_RESET];
        let anchored = anchors.into_iter().any(|family| items.has(family))
            || items.has(&SEQUENCE) && items.has(&SESSION)
            || items.has(&REPLAY) && items.has(&NET_TIME);
        if !anchored {
            return None;
        }
        let spoke = Dir::BOTH.map(|dir| self.packets.iter().any(|p| p.message.dir == dir));
        Some(Reading {
            variant: self.variant(),
            server: self.server(),
            evidence: items.into_vec(),
            spoke,
            implied,
            sessions: self.sessions,
        })
    }

    fn server(&self) -> Option<Dir> {
        let sent =
            |dir: Dir, test: &dyn Fn(&Packet<'_>) -> bool| self.packets.iter().any(|p| p.message.dir == dir && test(p));
        let server = |p: &Packet<'_>| p.control.opcode().is_server_reset() || self.hello(p) == Some(2);
        let client = |p: &Packet<'_>| {
            let opcode = p.control.opcode();
            opcode.is_client_reset() || opcode == Opcode::CONTROL_WKC || self.hello(p) == Some(1)
        };
        let serves = |dir: Dir| sent(dir, &server) || sent(dir.other(), &client);
        match Dir::BOTH.map(serves) {
            [true, false] => Some(Dir::Originator),
            [false, true] => Some(Dir::Responder),
            _ => None,
        }
    }

    fn hello(&self, packet: &Packet<'_>) -> Option<u8> {
        match packet.control.body(self.wrap)?.payload() {
            [0x16, 3, 0..=4, _, _, kind @ (1 | 2), ..] => Some(*kind),
            _ => None,
        }
    }

    fn early_start(&self, packet: &Packet<'_>) -> bool {
        let id = packet.control.replay(self.wrap).map(|r| r.packet_id);
        self.wrap == Wrap::TlsCrypt
            && id.is_some_and(|id| EARLY_START.iter().any(|s| (1..=0xffff).contains(&id.wrapping_sub(*s))))
    }

    fn variant(&self) -> Option<&'static str> {
        if self.packets.iter().all(|p| p.control.key() != 0) {
            return None;
        }
        Some(match self.wrap {
            Wrap::TlsCrypt if self.packets.iter().any(|p| self.version_2(p)) => "tls-crypt-v2",
            wrap => wrap.name(),
        })
    }

    fn version_2(&self, packet: &Packet<'_>) -> bool {
        let opcode = packet.control.opcode();
        let asks = opcode == Opcode::SERVER_RESET && packet.message.len == self.wrap.reset_len(1) + RESEND_TLV;
        matches!(opcode, Opcode::CLIENT_RESET_V3 | Opcode::CONTROL_WKC) || self.early_start(packet) || asks
    }
}
