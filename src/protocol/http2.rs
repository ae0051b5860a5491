//! HTTP/2 without TLS, with prior knowledge: the client's preface and the server's SETTINGS (RFC 9113 section 3.4), or the
//! chain of frames where it was joined in the middle.

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, joined, text};
use crate::wire::http2::{FrameHeader, PREFACE};

/// 24 fixed bytes, made so that nothing else begins with them. From a client alone it may be a probe.
static PREFACE_SENT: Family = Family { id: "http2.preface", cap: Bits::whole(26) };
/// Nine bytes of which seven are fixed: 58 bits by chance. Small binary protocols with zeros come near, so it counts
/// fully only as the answer to a preface.
static SETTINGS: Family = Family { id: "http2.settings", cap: Bits::whole(16) };

/// Type, flags, stream and length of a frame agree by chance with 2^-23, and it counts 8. Framing with a type and a length
/// is common, so both sides together stay below certain.
static FRAMES: [Family; 2] = [
    Family { id: "http2.client-frames", cap: Bits::whole(14) },
    Family { id: "http2.server-frames", cap: Bits::whole(14) },
];

/// The recogniser.
pub(super) struct Http2;

impl Dialogue for Http2 {
    const NAME: &'static str = "http2";
    const REFERENCE: &'static str = "RFC 9113";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, PREFACE)
            .then(|| Said::new(&PREFACE_SENT, 26, "client begins with the HTTP/2 preface").into())
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let Some(header) = FrameHeader::new(bytes) else {
            return if bytes.first() == Some(&0) { Opening::Short } else { Opening::Foreign };
        };
        let asked = client.starts_with(PREFACE);
        let bits = if asked { 16 } else { 6 };
        Opening::or_foreign(
            header
                .is_preface()
                .then(|| Said::new(&SETTINGS, bits, "server begins with a SETTINGS frame").unfinished(!asked)),
        )
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let frame = |b: &[u8]| {
            let frame = FrameHeader::new(b).filter(FrameHeader::is_legal)?;
            // What has neither content nor flags is mostly zeros of something else.
            let empty = frame.length == 0 && frame.flags == 0;
            // Data without flags has zeros where the type and the flags are.
            let bits = if empty { 0 } else { 8 - 4 * i32::from(frame.kind == 0 && frame.flags == 0) };
            Some((FrameHeader::LEN + frame.length, bits))
        };
        joined::opening(joined::heaviest(bytes, FrameHeader::LEN, frame), &FRAMES, role)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn preface_and_settings() {
        let finding = found(&Http2, PREFACE, &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]).unwrap();
        assert_eq!((finding.spoke, finding.settled, finding.bits()), ([true, true], true, Bits::whole(42)));
        assert!(excluded(&Http2, PREFACE, b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(found(&Http2, b"", &[0, 0, 6, 4, 0, 0, 0, 0, 0]).is_none());
    }
    #[test]
    fn frames_chain_when_joined_in_the_middle() {
        let frame = |kind: u8, flags: u8, stream: u8, n: u8| {
            [&[0, 0, n, kind, flags, 0, 0, 0, stream][..], &vec![0x5a; usize::from(n)]].concat()
        };
        let first = [frame(1, 5, 7, 40), frame(8, 0, 0, 4)].concat();
        let second = [frame(1, 4, 7, 30), frame(0, 0, 7, 90), frame(0, 1, 7, 0)].concat();
        let finding = joined(&Http2, &first, &second).unwrap();
        assert_eq!((finding.spoke, finding.bits()), ([true, true], Bits::whole(14 + 14)));
        assert!(joined(&Http2, &[0; 90], &[0; 90]).is_none());
    }
}
