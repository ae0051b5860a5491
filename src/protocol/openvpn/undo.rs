//! The modes of the XOR patch that need no password: they are undone, and the packets read as usual.

use super::message::Message;
use super::{control, side};
use crate::flow::Dir;
use crate::wire::openvpn::Opcode;

/// One of the modes that can be undone without a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undo {
    XorPtrPos,
    Reverse,
}

impl Undo {
    pub(super) const ALL: [Self; 2] = [Self::XorPtrPos, Self::Reverse];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::XorPtrPos => "scramble-xorptrpos",
            Self::Reverse => "scramble-reverse",
        }
    }

    /// Whether there is anything to be read when undone: a control channel, or enough data packets with a peer ID.
    pub(super) fn may_show(self, messages: &[Message<'_>]) -> bool {
        let data = |m: &Message<'_>| {
            m.first().and_then(|b| Opcode::of(b ^ self.mask())).is_some_and(|(opcode, _)| opcode == Opcode::DATA_V2)
        };
        let count = |dir: Dir| messages.iter().filter(|m| m.dir == dir && data(m)).count();
        control::may_show(messages.iter(), self.mask()) || Dir::BOTH.into_iter().any(|dir| count(dir) >= side::FEWEST)
    }

    /// What byte 0 is changed by.
    fn mask(self) -> u8 {
        u8::from(self == Self::XorPtrPos)
    }

    /// Whether most first bytes are legal when undone; cheap, and false for most traffic.
    pub(super) fn fits(self, messages: &[Message<'_>]) -> bool {
        let mask = self.mask();
        let legal = messages.iter().filter(|m| m.first().is_some_and(|b| Opcode::of(b ^ mask).is_some())).count();
        legal * 10 >= messages.len() * 9
    }

    /// The packets as they were before, as far as visible. Their bytes go to `store`.
    pub(super) fn apply<'s>(self, messages: &[Message<'_>], store: &'s mut Vec<u8>) -> Vec<Message<'s>> {
        store.reserve(messages.iter().map(|m| m.bytes.len() + m.tail.len()).sum());
        let sizes: Vec<(usize, usize)> = messages.iter().map(|m| self.append(m, store)).collect();
        let mut rest = store.as_slice();
        let one = |(m, (front, tail)): (&Message<'_>, (usize, usize))| {
            let (bytes, behind) = rest.split_at_checked(front)?;
            let (tail, behind) = behind.split_at_checked(tail)?;
            rest = behind;
            Some(Message { frame: m.frame, time: m.time, dir: m.dir, len: m.len, bytes, tail })
        };
        messages.iter().zip(sizes).filter_map(one).collect()
    }

    /// Appends the first bytes and the last ones as they were before; returns how many there are of each.
    fn append(self, m: &Message<'_>, store: &mut Vec<u8>) -> (usize, usize) {
        let mut put = |bytes: &[u8], undo: fn(&mut [u8], usize), start: usize| {
            let before = store.len();
            store.extend_from_slice(bytes);
            undo(store.get_mut(before..).unwrap_or_default(), start);
            bytes.len()
        };
        match self {
            Self::XorPtrPos => {
                let tail = m.len - m.tail.len().min(m.len);
                (put(m.bytes, xor_places, 0), put(m.tail, xor_places, tail))
            }
            Self::Reverse => {
                let (first, rest) = m.bytes.split_at(m.bytes.len().min(1));
                let front = if m.bytes.len() == m.len { rest } else { m.tail };
                let end = rest.get(..16).unwrap_or(rest);
                let turn = |bytes: &mut [u8], _| bytes.reverse();
                (put(first, turn, 0) + put(front, turn, 0), put(end, turn, 0))
            }
        }
    }
}

/// XORs each byte with its place in the packet, counted from 1; the first is byte `start`.
fn xor_places(bytes: &mut [u8], start: usize) {
    let mut place = start as u8;
    for byte in bytes {
        place = place.wrapping_add(1);
        *byte ^= place;
    }
}
