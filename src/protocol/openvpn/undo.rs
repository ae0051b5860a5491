//! The modes of the XOR patch that need no password: they are undone, and the packets read as usual.

use super::message::Message;
use super::side;
use crate::flow::Dir;
use crate::wire::openvpn::Opcode;
use std::borrow::Cow;

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

    /// Whether there is anything to be read when undone: a control packet, or data packets enough for a counter.
    pub(super) fn may_show(self, messages: &[Message<'_>]) -> bool {
        let mask = self.mask();
        let control =
            |m: &Message<'_>| m.first().and_then(|b| Opcode::of(b ^ mask)).is_some_and(|(opcode, _)| !opcode.is_data());
        let count = |dir: Dir| messages.iter().filter(|m| m.dir == dir).count();
        messages.iter().any(control) || Dir::BOTH.into_iter().any(|dir| count(dir) >= side::FEWEST)
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

    /// The packets as they were before, as far as visible.
    pub(super) fn apply(self, messages: &[Message<'_>]) -> Vec<Message<'static>> {
        messages.iter().map(|m| self.one(m)).collect()
    }

    fn one(self, m: &Message<'_>) -> Message<'static> {
        let (bytes, tail) = match self {
            Self::XorPtrPos => (xor_positions(&m.bytes, 0), xor_positions(&m.tail, m.len - m.tail.len().min(m.len))),
            Self::Reverse => {
                let Some((&first, rest)) = m.bytes.split_first() else { return m.to_owned() };
                let whole = m.bytes.len() == m.len;
                let turned = |b: &[u8]| b.iter().rev().copied().collect::<Vec<u8>>();
                let front = if whole { turned(rest) } else { turned(&m.tail) };
                let end = turned(rest.get(..16.min(rest.len())).unwrap_or_default());
                ([vec![first], front].concat(), end)
            }
        };
        Message {
            frame: m.frame,
            time: m.time,
            dir: m.dir,
            len: m.len,
            bytes: Cow::Owned(bytes),
            tail: Cow::Owned(tail),
        }
    }
}

fn xor_positions(bytes: &[u8], from: usize) -> Vec<u8> {
    bytes.iter().enumerate().map(|(i, b)| b ^ ((from + i + 1) & 0xff) as u8).collect()
}
