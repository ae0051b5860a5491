//! Hard and soft resets: exact lengths and fixed bytes.

use super::control::{Hypothesis, Packet};
use super::families::*;
use super::items::Items;
use crate::protocol::counted;
use crate::wire::openvpn::{Opcode, Wrap};

/// The six bytes by which a tls-crypt-v2 server's reset asks for the client key again.
pub(super) const RESEND_TLV: usize = 6;
/// Lengths of wrapped client keys: 2^8 bytes of key, tag and length, and metadata up to the limit.
const CLIENT_KEY: std::ops::RangeInclusive<usize> = 290..=1024;

impl Hypothesis<'_> {
    /// Hard and soft resets: exact lengths and fixed bytes.
    pub(super) fn resets(&self, items: &mut Items) {
        let mut seen = [false; 4];
        for packet in self.packets {
            let opcode = packet.control.opcode();
            let kind = if opcode.is_client_reset() {
                0
            } else if opcode.is_server_reset() {
                1
            } else if opcode == Opcode::SOFT_RESET {
                2
            } else if opcode == Opcode::CONTROL_WKC {
                3
            } else {
                continue;
            };
            let Some(done) = seen.get_mut(kind) else { continue };
            if !*done {
                *done = match kind {
                    0 => self.client_reset(packet, items),
                    1 => self.server_reset(packet, items),
                    2 => self.soft_reset(packet, items),
                    _ => self.client_key(packet, items),
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
                let text =
                    counted!("client reset of {len} bytes with first packet ID at byte 9, as tls-crypt has it", len);
                items.add(&CLIENT_RESET, 14, &frames, text);
            }
            (_, Some(body)) if body.acks() == 0 && body.message_id() == Some(0) => {
                let text =
                    counted!("client reset of exactly {len} bytes that acknowledges nothing and has message ID 0", len);
                items.add(&CLIENT_RESET, 16, &frames, text);
            }
            (_, None) if packet.message.bytes.len() < self.wrap.body() => {
                items.add(
                    &RESET_LENGTHS,
                    5,
                    &frames,
                    counted!("client reset of {len} bytes, its end not captured", len),
                );
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
                let text =
                    counted!("server reset of {len} bytes with first packet ID at byte 9, as tls-crypt has it", len);
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
                    counted!("server reset of exactly {len} bytes that acknowledges message 0", len),
                );
            }
            (_, None) if packet.message.bytes.len() < self.wrap.body() + 13 => {
                items.add(
                    &RESET_LENGTHS,
                    5,
                    &frames,
                    counted!("server reset of {len} bytes, its end not captured", len),
                );
            }
            _ => return false,
        }
        true
    }

    /// The client key, which the server asked for again.
    fn client_key(&self, packet: &Packet<'_>, items: &mut Items) -> bool {
        let said = packet.message.tail.last_chunk::<2>().map(|b| usize::from(u16::from_be_bytes(*b)));
        let fits =
            said.is_some_and(|said| CLIENT_KEY.contains(&said) && said + self.wrap.reset_len(0) < packet.message.len);
        let proved = self.wrap == Wrap::TlsCrypt && packet.early_id(self.wrap) == Some(true) && fits;
        if proved {
            let text = "control packet of tls-crypt-v2: an early packet ID, and the wrapped key's length at its end";
            items.add(&CLIENT_RESET, 12, &[packet.frame()], text);
        }
        proved
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
            counted!("soft reset of {len} bytes to key ID {key}: a renegotiation", len, key),
        );
        true
    }
}
