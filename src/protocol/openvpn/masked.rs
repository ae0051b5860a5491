//! The data channel under the XOR patch in the middle of a session: a header that stays and a number that counts, both
//! under a mask that nobody knows. The mask cancels out between two packets that met the same one; what is left is by how
//! much their numbers differ, and that must be how many packets lie between them.

use super::families::*;
use super::items::Items;
use super::message::Message;
use super::random::looks_random;
use super::scramble::{Masked, Reading};
use crate::flow::Dir;

/// Pairs of packets that must agree in one direction. Random ones do with 2^-64 each. Fields that take small values in
/// any order do with 2^-4, so that six pairs and 16 places to start from are 2^-20.
const PAIRS: usize = 6;
/// Packets of a direction that are looked at: those that are kept one after the other.
const RUN: usize = crate::flow::head::KEPT as usize;
/// Bytes of the shortest data packet with an AEAD tag.
const SHORTEST: usize = 28;

/// Looks for data packets under the masks of `mode`; only where [`may_show`].
pub(super) fn read(messages: &[Message<'_>], mode: Masked) -> Option<Reading> {
    FORMS.into_iter().find_map(|form| form.read(messages, mode))
}

/// Whether both directions have packets enough with one and the same first byte. Most traffic has not.
pub(super) fn may_show(messages: &[Message<'_>]) -> bool {
    if messages.len() < 2 * PAIRS {
        return false;
    }
    let (mut runs, mut alike) = ([0; 2], [[0u8; 256]; 2]);
    for message in messages {
        let run = message.dir.of_mut(&mut runs);
        *run += 1;
        if *run <= RUN && message.len >= SHORTEST {
            let place = message.first().and_then(|first| message.dir.of_mut(&mut alike).get_mut(usize::from(first)));
            place.into_iter().for_each(|count| *count += 1);
        }
    }
    let [a, b] = &alike;
    let enough = |count: &u8| usize::from(*count) > PAIRS;
    // All at once.
    a.iter().zip(b).fold(false, |any, (a, b)| any | (enough(a) & enough(b)))
}

/// Where the packet ID stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// At byte 4, behind the header.
    Short,
    /// At byte 8, behind the epoch and the upper half of the counter, which stay as the header does.
    Epoch,
}

const FORMS: [Form; 2] = [Form::Short, Form::Epoch];

impl Form {
    fn read(self, messages: &[Message<'_>], mode: Masked) -> Option<Reading> {
        let a = Side::find(messages, mode, self, Dir::Originator)?;
        let b = Side::find(messages, mode, self, Dir::Responder)?;
        let (first, ours) = (a.first()?, b.first()?);
        let opcode = |s: &Side<'_>| s.seen.iter().all(|p| p.message.first() == first.message.first());
        if !opcode(&a) || !opcode(&b) {
            return None;
        }
        let mut items = Items::default();
        let frames: Vec<u64> = [&a, &b].iter().flat_map(|s| s.seen.iter().take(3)).map(|p| p.message.frame).collect();
        let shared = a.seen.iter().find_map(|p| b.seen.iter().find(|q| q.class == p.class).map(|q| (p, q)));
        if let Some((p, q)) = shared {
            // The mask is the same both ways, and both counters are far from 2^24.
            if p.fixed != q.fixed || p.number ^ q.number >= 1 << 24 {
                return None;
            }
            items.add(
                &DATA_BOTH,
                4,
                &[first.message.frame, ours.message.frame],
                "both sides use the same data header under the mask",
            );
        }
        items.add(&SCRAMBLE_COUNTER, 12, &frames, "a number behind the header counts packets under an XOR mask");
        // In `obfuscate` header and counter are at the end.
        let body = |m: &Message<'_>| match mode {
            Masked::XorMask => 12..m.bytes.len().max(12),
            Masked::Obfuscate => 1..m.bytes.len().min(m.len.saturating_sub(12)).max(1),
        };
        let samples = a.seen.iter().chain(&b.seen).filter_map(|p| p.message.bytes.get(body(p.message)));
        match looks_random(samples) {
            Some(true) => items.add(&DATA_RANDOM, 3, &frames, "what follows the header is as random as ciphertext"),
            Some(false) => return None,
            None => {}
        }
        let name = if self == Self::Epoch { "data-epoch" } else { "data-v2" };
        let variant = format!("{} {name}", mode.name());
        Some(Reading { evidence: items.into_vec(), variant, server: None, spoke: [true, true] })
    }
}

/// One direction's packets, if a number counts them.
struct Side<'m> {
    seen: Vec<Seen<'m>>,
}

/// What one packet shows under the mask.
struct Seen<'m> {
    message: &'m Message<'m>,
    /// Its place among the packets of its direction.
    place: u32,
    /// Packets of one class met the same mask: all of them, or with `obfuscate` those of one length.
    class: usize,
    /// What stays.
    fixed: (u32, u32),
    /// What counts.
    number: u32,
    /// The same without what is known of the mask.
    bare: u32,
}

impl<'m> Side<'m> {
    fn find(messages: &'m [Message<'m>], mode: Masked, form: Form, dir: Dir) -> Option<Self> {
        let run = messages.iter().filter(|m| m.dir == dir).take(RUN).enumerate();
        let seen: Vec<Seen<'m>> = run.filter_map(|(place, m)| Seen::new(m, place as u32, mode, form)).collect();
        let earlier = |n: usize, b: &Seen<'m>| seen.get(..n)?.iter().rev().find(|a| a.class == b.class);
        let pairs: Vec<(&Seen<'m>, &Seen<'m>)> =
            seen.iter().enumerate().filter_map(|(n, b)| earlier(n, b).map(|a| (a, b))).collect();
        let count = |of: &dyn Fn(&Seen<'m>, &Seen<'m>) -> bool| pairs.iter().filter(|(a, b)| of(a, b)).count();
        let enough = |n: usize| n >= PAIRS && n * 4 >= pairs.len() * 3;
        if !enough(count(&|a, b| a.fixed == b.fixed && a.number != b.number)) {
            return None;
        }
        // A counter in clear is of another protocol. Under one mask in eight a counter looks like one for so long.
        let plain = count(&|a, b| (1..=2 * (b.place - a.place)).contains(&b.bare.wrapping_sub(a.bare)));
        let believed = |fitting: usize| enough(fitting) && plain * 8 < fitting * 7;
        // The lower byte of the first number is not known; above it nothing but a carry changes.
        let near = |(a, b): &&(&Seen<'m>, &Seen<'m>)| a.fixed == b.fixed && a.number ^ b.number < 2 << u8::BITS;
        let near: Vec<_> = pairs.iter().filter(near).collect();
        if !believed(near.len()) {
            return None;
        }
        let fits = |start: u32| near.iter().filter(|(a, b)| a.differs_as_counted(b, start)).count();
        let fitting = (0..=u32::from(u8::MAX)).map(fits).max().unwrap_or(0);
        believed(fitting).then_some(Self { seen })
    }

    fn first(&self) -> Option<&Seen<'m>> {
        self.seen.first()
    }
}

impl<'m> Seen<'m> {
    fn new(message: &'m Message<'m>, place: u32, mode: Masked, form: Form) -> Option<Self> {
        if message.len < SHORTEST {
            return None;
        }
        let word = |at: usize| match mode {
            Masked::XorMask => message.u32_at(at),
            Masked::Obfuscate => word(|i| mode.at(message, at + i)),
        };
        let (fixed, at) = match form {
            Form::Short => ((word(0)?, 0), 4),
            Form::Epoch => ((word(0)?, word(4)?), 8),
        };
        let (class, bare) = match mode {
            Masked::XorMask => (0, word(at)?),
            Masked::Obfuscate => (message.len, self::word(|i| message.byte(message.len - at - i))?),
        };
        Some(Self { message, place, class, fixed, number: word(at)?, bare })
    }

    /// Whether the numbers differ as they do if they count packets from `start` at the first place.
    fn differs_as_counted(&self, other: &Self, start: u32) -> bool {
        self.number ^ other.number == (start + self.place) ^ (start + other.place)
    }
}

fn word(byte: impl Fn(usize) -> Option<u8>) -> Option<u32> {
    Some(u32::from_be_bytes([byte(0)?, byte(1)?, byte(2)?, byte(3)?]))
}
