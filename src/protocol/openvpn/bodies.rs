//! What repeats and counts in control packets: session IDs, message IDs and acknowledgements, packet IDs and times.

use super::control::{EARLY_START, Hypothesis, Packet};
use super::families::*;
use super::items::Items;
use super::random::random_id;
use crate::flow::Dir;
use crate::protocol::counted;
use crate::wire::openvpn::{SessionId, Wrap};

/// Clocks that were ever set show more than this: 2001-09-09.
const SET_CLOCK: u32 = 1_000_000_000;
/// No session sends this many control packets.
const OLD_ID: u32 = 1 << 20;

/// How far a message ID may be from the one before: the sender waits for acknowledgements after a dozen, and some may not have
/// been captured.
const AHEAD: u32 = 64;

/// Message ID and highest acknowledged one.
type Numbers = (Option<u32>, Option<u32>);

/// Whether a number is as high as the one before or a little higher.
fn rises(now: Option<u32>, then: Option<u32>) -> bool {
    now >= then && now.zip(then).is_none_or(|(now, then)| now - then < AHEAD)
}

impl Hypothesis<'_> {
    /// Constant and random session IDs.
    pub(super) fn sessions(&self, items: &mut Items) {
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
    pub(super) fn bodies(&self, items: &mut Items) -> Option<[bool; 2]> {
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
                && (rises(numbers.0, then.0) || rises(numbers.1, then.1))
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
    pub(super) fn replay(&self, items: &mut Items) -> Option<()> {
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
                    let off = off.unsigned_abs();
                    let text = counted!("the time in the packet is {off} s from the capture's", off);
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
}
