//! The control channel: resets, session IDs, packet IDs, message IDs and TLS hellos, read under each way of wrapping;
//! the way that explains most is the one that is reported.

use super::families::*;
use super::message::Message;
use super::random::random_id;
use crate::flow::Dir;
use crate::protocol::evidence::sum;
use crate::protocol::{Bits, Evidence, Family};
use crate::wire::openvpn::{Control, Opcode, SessionId, Wrap};
use std::borrow::Cow;

/// A clock may be this wrong, seconds.
const DAY: i64 = 86_400;
/// Clocks that were ever set show more than this: 2001-09-09.
const SET_CLOCK: u32 = 1_000_000_000;
/// No session sends this many control packets.
const OLD_ID: u32 = 1 << 20;
/// Packet IDs of a client with tls-crypt-v2 start here (0x0a010000 in early builds).
const EARLY_START: [u32; 2] = [0x0f00_0000, 0x0a01_0000];
/// The six bytes by which a tls-crypt-v2 server's reset asks for the client key again.
const RESEND_TLV: usize = 6;
/// Lengths of wrapped client keys: 2^8 bytes of key, tag and length, and metadata up to the limit.
const CLIENT_KEY: std::ops::RangeInclusive<usize> = 290..=1024;

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

/// Collects one item per family: bits add up, the first frames and the first sentence stay.
#[derive(Debug, Default)]
pub(super) struct Items(Vec<Evidence>);

/// Frames listed with an item.
const FRAMES: usize = 6;

impl Items {
    pub(super) fn add(
        &mut self,
        family: &'static Family,
        bits: i32,
        frames: &[u64],
        text: impl Into<Cow<'static, str>>,
    ) {
        let Some(known) = self.0.iter_mut().find(|e| e.family == family) else {
            let frames = frames.iter().copied().take(FRAMES).collect();
            self.0.push(Evidence { family, bits: Bits::whole(bits), frames, text: text.into() });
            return;
        };
        known.bits = (known.bits + Bits::whole(bits)).min(family.cap);
        for frame in frames {
            if known.frames.len() < FRAMES && !known.frames.contains(frame) {
                known.frames.push(*frame);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, family: &'static Family) -> bool {
        self.0.iter().any(|e| e.family == family)
    }

    pub(super) fn into_vec(self) -> Vec<Evidence> {
        self.0
    }
}

/// Reads the control channel of `messages`. `None` if nothing speaks for one.
pub(super) fn read(messages: &[Message<'_>]) -> Option<Reading> {
    let packets: Vec<Packet<'_>> = messages.iter().filter_map(Packet::new).collect();
    let sessions = Dir::BOTH.map(|dir| main_session(&packets, dir));
    // Where resets are, they are few; elsewhere random first bytes are control opcodes in one packet of nine.
    let own = |p: &&Packet<'_>| *p.message.dir.of(&sessions) == Some(p.control.session());
    let packets: Vec<Packet<'_>> = packets.iter().filter(own).copied().collect();
    if packets.is_empty() {
        return None;
    }
    let read = Wrap::ALL.into_iter().filter_map(|wrap| Hypothesis { wrap, packets: &packets, sessions }.read());
    // Of equal ones the first: fewer assumptions.
    read.fold(None, |best: Option<Reading>, next| match best {
        Some(best) if best.bits() >= next.bits() => Some(best),
        _ => Some(next),
    })
}

#[derive(Clone, Copy)]
struct Packet<'m> {
    message: &'m Message<'m>,
    control: Control<'m>,
}

impl<'m> Packet<'m> {
    fn new(message: &'m Message<'m>) -> Option<Self> {
        let control = Control::new(&message.bytes, message.len)?;
        let shortest = if control.opcode() == Opcode::ACK { 22 } else { 14 };
        (message.len >= shortest).then_some(Self { message, control })
    }

    fn frame(&self) -> u64 {
        self.message.frame
    }

    /// The time stamp under `wrap`, if it is within a day of the capture's.
    fn clock(&self, wrap: Wrap) -> Option<i64> {
        let time = i64::from(self.control.replay(wrap)?.time);
        let off = time - self.message.time.seconds();
        (off.abs() <= DAY).then_some(off)
    }

    /// Whether the packet ID under `wrap` can be an early one. True as well when it is not visible: then `None`.
    fn early_id(&self, wrap: Wrap) -> Option<bool> {
        let id = self.control.replay(wrap)?.packet_id;
        Some((1..=64).contains(&id) || EARLY_START.iter().any(|start| (1..=64).contains(&id.wrapping_sub(*start))))
    }
}

/// The session ID that most control packets of `dir` carry, resets first.
fn main_session(packets: &[Packet<'_>], dir: Dir) -> Option<SessionId> {
    let mine = || packets.iter().filter(move |p| p.message.dir == dir);
    let count = |id: SessionId| mine().filter(|p| p.control.session() == id).count();
    let resets = |id: SessionId| {
        mine().any(|p| {
            let opcode = p.control.opcode();
            p.control.session() == id && (opcode.is_client_reset() || opcode.is_server_reset())
        })
    };
    let mut best: Option<(bool, usize, SessionId)> = None;
    for packet in mine() {
        let id = packet.control.session();
        let rank = (count(id) > 1, count(id) + usize::from(resets(id)), id);
        if best.is_none_or(|b| (rank.0, rank.1) > (b.0, b.1)) {
            best = Some(rank);
        }
    }
    best.map(|(_, _, id)| id)
}

/// Message ID and highest acknowledged one.
type Numbers = (Option<u32>, Option<u32>);

struct Hypothesis<'m> {
    wrap: Wrap,
    packets: &'m [Packet<'m>],
    sessions: [Option<SessionId>; 2],
}

impl Hypothesis<'_> {
    fn read(&self) -> Option<Reading> {
        let mut items = Items::default();
        self.resets(&mut items);
        self.sessions(&mut items);
        let implied = self.bodies(&mut items)?;
        self.replay(&mut items)?;
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

    /// Hard and soft resets: exact lengths and fixed bytes.
    fn resets(&self, items: &mut Items) {
        let mut seen = [false; 3];
        for packet in self.packets {
            let opcode = packet.control.opcode();
            let kind = if opcode.is_client_reset() {
                0
            } else if opcode.is_server_reset() {
                1
            } else if opcode == Opcode::SOFT_RESET {
                2
            } else {
                continue;
            };
            let Some(done) = seen.get_mut(kind) else { continue };
            if !*done {
                *done = match kind {
                    0 => self.client_reset(packet, items),
                    1 => self.server_reset(packet, items),
                    _ => self.soft_reset(packet, items),
                };
            }
        }
    }

    fn client_reset(&self, packet: &Packet<'_>, items: &mut Items) -> bool {
        let len = packet.message.len;
        let frames = [packet.frame()];
        if packet.control.opcode() == Opcode::CLIENT_RESET_V3 {
            if self.wrap != Wrap::TlsCrypt || packet.early_id(self.wrap) != Some(true) {
                return false;
            }
            let key = len.saturating_sub(self.wrap.reset_len(0));
            let said = packet.message.tail.last_chunk::<2>().map(|b| usize::from(u16::from_be_bytes(*b)));
            let (bits, text) = match said {
                Some(said) if said == key => {
                    (16, "client reset of tls-crypt-v2: first packet ID, and the wrapped key's length at its end")
                }
                None if CLIENT_KEY.contains(&key) => {
                    (10, "client reset of tls-crypt-v2: first packet ID, the end not captured")
                }
                _ => return false,
            };
            items.add(&CLIENT_RESET, bits, &frames, text);
            return true;
        }
        if len != self.wrap.reset_len(0) {
            return false;
        }
        let early = packet.early_id(self.wrap);
        if early == Some(false) {
            return false;
        }
        match (self.wrap, packet.control.body(self.wrap)) {
            (Wrap::TlsCrypt, _) if early.is_some() => {
                let text = format!("client reset of {len} bytes with first packet ID at byte 9, as tls-crypt has it");
                items.add(&CLIENT_RESET, 14, &frames, text);
            }
            (_, Some(body)) if body.acks() == 0 && body.message_id() == Some(0) => {
                let text =
                    format!("client reset of exactly {len} bytes that acknowledges nothing and has message ID 0");
                items.add(&CLIENT_RESET, 16, &frames, text);
            }
            (_, None) if packet.message.bytes.len() < self.wrap.body() => {
                items.add(&RESET_LENGTHS, 5, &frames, format!("client reset of {len} bytes, its end not captured"));
            }
            _ => return false,
        }
        true
    }

    fn server_reset(&self, packet: &Packet<'_>, items: &mut Items) -> bool {
        let len = packet.message.len;
        let frames = [packet.frame()];
        let exact = self.wrap.reset_len(1);
        let fits = len == exact || self.wrap == Wrap::TlsCrypt && len == exact + RESEND_TLV;
        let early = packet.early_id(self.wrap);
        if !fits || early == Some(false) {
            return false;
        }
        match (self.wrap, packet.control.body(self.wrap)) {
            (Wrap::TlsCrypt, _) if early.is_some() => {
                let text = format!("server reset of {len} bytes with first packet ID at byte 9, as tls-crypt has it");
                items.add(&SERVER_RESET, 12, &frames, text);
            }
            (_, Some(body))
                if body.acks() == 1 && body.acked().eq([0]) && body.message_id().is_none_or(|id| id == 0) =>
            {
                let bits = if body.message_id().is_some() { 16 } else { 12 };
                items.add(
                    &SERVER_RESET,
                    bits,
                    &frames,
                    format!("server reset of exactly {len} bytes that acknowledges message 0"),
                );
            }
            (_, None) if packet.message.bytes.len() < self.wrap.body() + 13 => {
                items.add(&RESET_LENGTHS, 5, &frames, format!("server reset of {len} bytes, its end not captured"));
            }
            _ => return false,
        }
        true
    }

    fn soft_reset(&self, packet: &Packet<'_>, items: &mut Items) -> bool {
        let len = packet.message.len;
        if len != self.wrap.reset_len(0) && len != self.wrap.reset_len(1) {
            return false;
        }
        let proved = match self.wrap {
            // With tls-crypt's layout the time beside the packet ID must be right, too.
            Wrap::TlsCrypt => packet.early_id(self.wrap) == Some(true) && packet.clock(self.wrap).is_some(),
            wrap => packet.control.body(wrap).is_some_and(|b| b.message_id() == Some(0) && b.acks() <= 1),
        };
        if !proved {
            return false;
        }
        let key = packet.control.key();
        items.add(
            &SOFT_RESET,
            8,
            &[packet.frame()],
            format!("soft reset of {len} bytes to key ID {key}: a renegotiation"),
        );
        true
    }

    /// Constant and random session IDs.
    fn sessions(&self, items: &mut Items) {
        for dir in Dir::BOTH {
            let mine: Vec<&Packet<'_>> = self.packets.iter().filter(|p| p.message.dir == dir).collect();
            let Some(first) = mine.first() else { continue };
            let opcodes = mine.iter().filter(|p| p.control.opcode() != first.control.opcode()).count();
            if mine.len() >= 2 && opcodes > 0 {
                let frames: Vec<u64> = mine.iter().map(|p| p.frame()).collect();
                let bits = if items.has(&SESSION) { 2 } else { 5 };
                items.add(&SESSION, bits, &frames, "control packets of different opcodes carry the same session ID");
            }
            let random = random_id(&first.control.session().0);
            let already = items.has(&SESSION_RANDOM);
            match (random, already) {
                (true, false) => {
                    items.add(&SESSION_RANDOM, 4, &[first.frame()], "the session ID looks like a random number")
                }
                (true, true) => {}
                (false, _) => items.add(&SESSION_RANDOM, -16, &[first.frame()], "the session ID is no random number"),
            }
        }
    }

    /// Readable bodies: echoes, message IDs, TLS hellos. Returns the sides that are known to have answered. `None` if the
    /// bodies do not fit this wrap.
    fn bodies(&self, items: &mut Items) -> Option<[bool; 2]> {
        let mut implied = [false; 2];
        let (mut good, mut bad) = (0u32, 0u32);
        let mut peers: [Option<(SessionId, u64)>; 2] = [None, None];
        let mut orders: [Option<(u64, Numbers)>; 2] = [None, None];
        for packet in self.packets.iter().filter(|p| self.wrap.is_readable() && p.control.key() == 0) {
            if packet.message.bytes.len() <= self.wrap.body() {
                continue;
            }
            let Some(body) = packet.control.body(self.wrap) else {
                bad += 1;
                continue;
            };
            let dir = packet.message.dir;
            let frame = packet.frame();
            if body.acked().chain(body.message_id()).any(|id| id > 0xffff) {
                bad += 1;
                continue;
            }
            good += 1;
            let order = dir.of_mut(&mut orders);
            let numbers = (body.message_id(), body.acked().max());
            if let Some((earlier, then)) = order.replace((frame, numbers))
                && numbers != then
                && (numbers.0 >= then.0 || numbers.1 >= then.1)
            {
                let text = "message IDs and acknowledged ones are small numbers at their places and go up";
                items.add(&SEQUENCE, 4, &[earlier, frame], text);
            }
            if let Some(peer) = body.peer() {
                let other = *dir.other().of(&self.sessions);
                if other == Some(peer) {
                    let theirs =
                        self.packets.iter().find(|p| p.message.dir == dir.other()).map_or(frame, |p| p.frame());
                    let text = if packet.control.opcode().is_server_reset() {
                        "the server reset echoes the client's session ID"
                    } else {
                        "a control packet echoes the other side's session ID"
                    };
                    if !items.has(&ECHO) {
                        items.add(&ECHO, 20, &[theirs, frame], text);
                    }
                } else if other.is_none() && random_id(&peer.0) {
                    *dir.other().of_mut(&mut implied) = true;
                    match *dir.of(&peers) {
                        Some((known, first)) if known == peer => {
                            let text =
                                "acknowledgements repeat one session ID of the other side, which was not captured";
                            items.add(&SEQUENCE, 8, &[first, frame], text);
                        }
                        _ => *dir.of_mut(&mut peers) = Some((peer, frame)),
                    }
                }
            }
            if let [0x16, 3, 0..=4, _, _, kind @ (1 | 2), ..] = body.payload() {
                let text = if *kind == 1 {
                    "a TLS ClientHello starts where the control packet's body ends"
                } else {
                    "a TLS ServerHello starts where the control packet's body ends"
                };
                if !items.has(&HELLO) {
                    items.add(&HELLO, 14, &[frame], text);
                }
            }
        }
        (bad <= good / 4).then_some(implied)
    }

    /// Packet IDs and times of the wrap. `None` if they do not fit it.
    fn replay(&self, items: &mut Items) -> Option<()> {
        let (mut good, mut bad) = (0u32, 0u32);
        for dir in Dir::BOTH {
            let mut before: Option<&Packet<'_>> = None;
            let mut dated = false;
            // Renegotiations of 2.6 and later are wrapped by tls-crypt whatever the session is.
            let mine = |p: &&Packet<'_>| p.message.dir == dir && (p.control.key() == 0 || self.wrap == Wrap::TlsCrypt);
            for packet in self.packets.iter().filter(mine) {
                let Some(now) = packet.control.replay(self.wrap) else { continue };
                if let (false, Some(off)) = (dated, packet.clock(self.wrap)) {
                    dated = true;
                    let already = items.has(&NET_TIME);
                    let text = format!("the time in the packet is {} s from the capture's", off.abs());
                    items.add(&NET_TIME, if already { 4 } else { 8 }, &[packet.frame()], text);
                }
                if let Some(earlier) = before {
                    let then = earlier.control.replay(self.wrap)?;
                    let same_key = earlier.control.key() == packet.control.key();
                    let step = now.packet_id.wrapping_sub(then.packet_id);
                    let near = (1..=64).contains(&step) || (1..=64).contains(&step.wrapping_neg());
                    let young =
                        now.packet_id < OLD_ID || EARLY_START.iter().any(|s| now.packet_id.wrapping_sub(*s) < OLD_ID);
                    if same_key && now.time == then.time && now.time > SET_CLOCK && young && near {
                        good += 1;
                        let text = "packet IDs of control packets count on while the time beside them stays";
                        items.add(&REPLAY, 6, &[earlier.frame(), packet.frame()], text);
                    } else if same_key && now != then {
                        bad += 1;
                    }
                }
                before = Some(packet);
            }
        }
        (bad <= good / 4).then_some(())
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
