//! The XOR patch ("scramble", Tunnelblick and others), recognised without its password.
//!
//! Each packet is changed by itself, lengths stay:
//! * `xorptrpos`: byte i XOR (i + 1); `reverse`: all but byte 0 in reverse order. Both are undone and read as usual.
//! * `xormask`: byte i XOR the repeated password. `obfuscate`: xorptrpos, reverse, xorptrpos, xormask, so that wire byte
//!   i > 0 is byte (len - i) of the packet XOR (len - i + 1) XOR (i + 1) XOR mask byte i. The mask is the same in all
//!   packets and both directions, so it cancels out between two of them, and what is left must be what the two packets
//!   differ in: the opcodes of the two resets, nothing in the session ID, nothing in message ID 0.
use super::families::*;
use super::items::Items;
use super::masked;
use super::message::Message;
use crate::flow::Dir;
use crate::protocol::evidence::sum;
use crate::protocol::{Bits, Evidence};
use crate::wire::openvpn::{Opcode, Wrap};

/// Packets after the resets whose first bytes must fit.
const FOLLOWING: usize = 3;

/// One of the modes with a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Masked {
    XorMask,
    Obfuscate,
}

impl Masked {
    const ALL: [Self; 2] = [Self::XorMask, Self::Obfuscate];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::XorMask => "scramble-xormask",
            Self::Obfuscate => "scramble-obfuscate",
        }
    }

    /// Byte `i` of the original packet XOR the mask byte that it met, if visible.
    pub(super) fn at(self, m: &Message<'_>, i: usize) -> Option<u8> {
        match self {
            Self::XorMask => m.byte(i),
            Self::Obfuscate if i == 0 => m.byte(0),
            Self::Obfuscate => {
                let wire = m.len.checked_sub(i)?;
                Some(m.byte(wire)? ^ ((i + 1) & 0xff) as u8 ^ ((wire + 1) & 0xff) as u8)
            }
        }
    }

    /// The XOR of two packets at `a` of the one and `b` of the other, if both met the same mask byte there.
    fn differ(self, (m, a): (&Message<'_>, usize), (n, b): (&Message<'_>, usize)) -> Option<u8> {
        let same_mask = match self {
            Self::XorMask => a == b,
            Self::Obfuscate => m.len.checked_sub(a) == n.len.checked_sub(b) || a == 0 && b == 0,
        };
        if !same_mask {
            return None;
        }
        Some(self.at(m, a)? ^ self.at(n, b)?)
    }
}

/// What a scrambled session shows.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) evidence: Vec<Evidence>,
    pub(super) variant: String,
    pub(super) server: Option<Dir>,
    pub(super) spoke: [bool; 2],
}

impl Reading {
    pub(super) fn bits(&self) -> Bits {
        sum(&self.evidence)
    }
}

/// Looks for a mask that makes `messages` OpenVPN.
pub(super) fn read(messages: &[Message<'_>]) -> Option<Reading> {
    let mut best: Option<Reading> = None;
    let mut take = |next: Option<Reading>| {
        if let Some(next) = next.filter(|next| best.as_ref().is_none_or(|best| best.bits() < next.bits())) {
            best = Some(next);
        }
    };
    for handshake in Dir::BOTH.into_iter().filter_map(|dir| Handshake::find(messages, dir)) {
        Masked::ALL.into_iter().for_each(|mode| take(handshake.read(mode)));
    }
    if masked::may_show(messages) {
        Masked::ALL.into_iter().for_each(|mode| take(masked::read(messages, mode)));
    }
    best
}

/// The two resets, and what follows.
struct Handshake<'m> {
    client: &'m Message<'m>,
    server: &'m Message<'m>,
    /// The opcode byte's mask.
    mask: u8,
    wraps: Vec<Wrap>,
    rest: Vec<&'m Message<'m>>,
}

impl<'m> Handshake<'m> {
    /// The first packets of both sides, if their first bytes differ as those of the resets do and their lengths are
    /// those of resets under the same wrap.
    fn find(messages: &'m [Message<'m>], from: Dir) -> Option<Self> {
        let client = messages.iter().find(|m| m.dir == from)?;
        let server = messages.iter().find(|m| m.dir == from.other())?;
        let relation = client.first()? ^ server.first()?;
        let version = match relation {
            0x78 => 0x38,
            0x10 => 0x50,
            _ => return None,
        };
        let mask = client.first()? ^ version;
        let fits = |wrap: &Wrap| match version {
            0x38 => (client.len, server.len) == (wrap.reset_len(0), wrap.reset_len(1)),
            _ => *wrap == Wrap::TlsCrypt && matches!(server.len, 66 | 72) && (344..=1078).contains(&client.len),
        };
        let wraps: Vec<Wrap> = Wrap::ALL.into_iter().filter(fits).collect();
        if wraps.is_empty() || mask == 0 {
            return None;
        }
        let resets = |m: &&Message<'_>| m.first() == client.first() || m.first() == server.first();
        let rest = messages.iter().filter(|m| !resets(m)).collect();
        Some(Self { client, server, mask, wraps, rest })
    }

    fn opcode(&self, m: &Message<'_>) -> Option<Opcode> {
        Opcode::of(m.first()? ^ self.mask).map(|(opcode, _)| opcode)
    }

    fn read(&self, mode: Masked) -> Option<Reading> {
        let mut items = Items::default();
        let frames = [self.client.frame, self.server.frame];
        let text = format!(
            "the first packets of both sides have the lengths of resets ({} and {}), and their first bytes XOR {:02x} are the opcodes of resets",
            self.client.len, self.server.len, self.mask
        );
        items.add(&SCRAMBLE_RESETS, 8, &frames, text);
        let later = |o: Opcode| {
            matches!(
                o,
                Opcode::CONTROL
                    | Opcode::ACK
                    | Opcode::DATA_V1
                    | Opcode::DATA_V2
                    | Opcode::CONTROL_WKC
                    | Opcode::SOFT_RESET
            )
        };
        let legal = self.rest.iter().filter(|m| self.opcode(m).is_some_and(later)).count();
        if legal * 10 < self.rest.len() * 9 {
            return None;
        }
        if legal >= FOLLOWING {
            let text = format!(
                "the first bytes of all {legal} other packets at hand, XOR {:02x}, are opcodes, too",
                self.mask
            );
            let frames: Vec<u64> = self.rest.iter().map(|m| m.frame).collect();
            items.add(&SCRAMBLE_OPCODES, 2 * i32::try_from(legal).unwrap_or(4).min(4), &frames, text);
        }
        let wrap = self.wraps.iter().copied().find(|&wrap| self.fields(mode, wrap)).or(match self.wraps.as_slice() {
            [only] => Some(*only),
            _ => None,
        });
        if let Some(wrap) = wrap
            && self.fields(mode, wrap)
        {
            items.add(&SCRAMBLE_FIELDS, 14, &frames, "under the mask, the fixed fields of the two resets are equal");
        }
        let session = self.session(mode);
        if session.len() >= 2 {
            let text = "under the mask, control packets of one side carry the same session ID";
            items.add(&SCRAMBLE_SESSION, 12, &session, text);
        }
        let under = wrap.map_or("", Wrap::name);
        let under = if under == "tls-crypt" && self.client.len > 100 { "tls-crypt-v2" } else { under };
        // Without anything that depends on the mode it cannot be named, and lengths and opcodes alone are no proof.
        let proved = items.has(&SCRAMBLE_FIELDS) || items.has(&SCRAMBLE_SESSION);
        if !proved && mode == Masked::Obfuscate {
            return None;
        }
        let variant = format!("{} {under}", if proved { mode.name() } else { "scramble" }).trim().to_owned();
        let mut evidence = items.into_vec();
        if !proved {
            let opcodes = evidence.iter_mut().filter(|e| e.family == &SCRAMBLE_OPCODES);
            opcodes.for_each(|e| e.bits = e.bits.min(Bits::whole(5)));
        }
        Some(Reading { evidence, variant, server: Some(self.server.dir), spoke: [true, true] })
    }

    /// Whether the two resets differ under `mode` and `wrap` only where unmasked resets do.
    fn fields(&self, mode: Masked, wrap: Wrap) -> bool {
        let (c, s) = (self.client, self.server);
        let same =
            |offset: usize, count: usize| (offset..offset + count).all(|i| mode.differ((c, i), (s, i)) == Some(0));
        // The offsets as seen from the end, where reversed packets start.
        let ends_same = |count: usize| {
            (1..=count).all(|i| {
                let (Some(a), Some(b)) = (c.len.checked_sub(i), s.len.checked_sub(i)) else { return false };
                mode.differ((c, a), (s, b)) == Some(0)
            })
        };
        match (mode, wrap) {
            (Masked::XorMask, Wrap::Plain) => mode.differ((c, 9), (s, 9)) == Some(1) && same(10, 4),
            // Packet ID 1 on both sides, times that differ in the lower bytes only, one acknowledgement against none.
            (Masked::XorMask, Wrap::TlsAuth(d)) => {
                let at = 9 + d.size();
                same(at, 4) && same(at + 4, 1) && mode.differ((c, at + 8), (s, at + 8)) == Some(1) && same(at + 9, 4)
            }
            (Masked::XorMask, Wrap::TlsCrypt) => {
                let id = [mode.differ((c, 9), (s, 9)), mode.differ((c, 12), (s, 12))];
                // The packet ID of a client with tls-crypt-v2 starts at 0x0f000001, the server's may at 1.
                matches!(id, [Some(0 | 0x0f), Some(0)]) && same(10, 2) && same(13, 2)
            }
            // Message ID 0 ends both resets.
            (Masked::Obfuscate, Wrap::Plain | Wrap::TlsAuth(_)) => ends_same(4),
            (Masked::Obfuscate, Wrap::TlsCrypt) => false,
        }
    }

    /// Frames of control packets of one side, of different opcodes or lengths, that have the same bytes under the mask
    /// where a session ID stands; none if any has not.
    fn session(&self, mode: Masked) -> Vec<u64> {
        let control = |m: &&&Message<'_>| matches!(self.opcode(m), Some(Opcode::CONTROL | Opcode::ACK));
        let mut frames = Vec::new();
        for dir in Dir::BOTH {
            let mine = || self.rest.iter().copied().filter(|m| control(&m)).filter(move |m| m.dir == dir);
            match mode {
                // The sender's own ID at bytes 1 to 8 of every control packet, the reset included.
                Masked::XorMask => {
                    let reset = if self.client.dir == dir { self.client } else { self.server };
                    for m in mine() {
                        if !(1..9).all(|i| mode.differ((reset, i), (m, i)) == Some(0)) {
                            return Vec::new();
                        }
                        frames.push(m.frame);
                    }
                }
                // The peer's ID ends every acknowledgement: bytes len-1 to len-8.
                Masked::Obfuscate => {
                    let mut acks = mine().filter(|m| self.opcode(m) == Some(Opcode::ACK));
                    let Some(first) = acks.next() else { continue };
                    for m in acks {
                        let same = |i: usize| mode.differ((first, first.len - i), (m, m.len - i)) == Some(0);
                        let own = |i: usize| first.len == m.len && mode.differ((first, i), (m, i)) == Some(0);
                        if m.len < 22 || first.len < 22 {
                            return Vec::new();
                        }
                        if (1..=8).all(same) || (1..9).all(own) {
                            frames.extend([first.frame, m.frame]);
                        } else if first.len == m.len || self.wraps != [Wrap::TlsCrypt] {
                            return Vec::new();
                        }
                    }
                }
            }
        }
        frames.dedup();
        frames
    }
}
