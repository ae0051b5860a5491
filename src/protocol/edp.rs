//! EDP, which Digi's devices speak with their cloud: 3197 plain, 3199 in TLS (digidotcom/cc_ansic,
//! private/connector_tcp_open.h). The device opens with its version, gets an answer of four bytes, and sends its three
//! keepalive settings; then payload and keepalives run both ways.

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, text};
use crate::wire::edp::{Kind, Message, messages};

/// Eight fixed bytes: 64 bits by chance; none of 2,742 TCP flows of other protocols begins so. A device alone may knock
/// at anything, so it stays below certain.
static VERSION: Family = Family { id: "edp.version", cap: Bits::whole(24) };
/// Three messages of fixed types and lengths: 96 bits by chance, of the same sender.
static SETTINGS: Family = Family { id: "edp.keepalive-settings", cap: Bits::whole(4) };
/// Four bytes, 30 bits by chance. Zeros and small numbers are common in binary protocols, so the weight comes from the
/// version that it answers.
static ANSWER: Family = Family { id: "edp.version-answer", cap: Bits::whole(16) };
/// In the middle: messages that chain to the end, 16 bits or more each. Type-length framings with small numbers are
/// common, so a side proves little.
static MESSAGES: [Family; 2] = [
    Family { id: "edp.device-messages", cap: Bits::whole(10) },
    Family { id: "edp.server-messages", cap: Bits::whole(10) },
];

/// The recogniser.
pub(super) struct Edp;

impl Dialogue for Edp {
    const NAME: &'static str = "edp";
    const REFERENCE: &'static str = "digidotcom/cc_ansic";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, &[0, 4, 0, 4, 0, 0, 0, 2]).then(|| {
            let said = Said::new(&VERSION, 24, "device opens with message type 4, length 4, version 2");
            let settings: Vec<_> = messages(bytes).skip(1).take(3).collect();
            if settings.len() < 3 {
                return said.unfinished(true).into();
            }
            if !settings.iter().all(|m| m.kind == Kind::KeepaliveSetting) {
                return said.into();
            }
            let device = messages(bytes).find_map(|m| match (m.kind, m.payload) {
                (Kind::Payload, [0, 0x81, id @ ..]) if id.len() == 16 => Some(device_id(id)),
                _ => None,
            });
            said.and(&SETTINGS, 4, 8, "device sends its three keepalive settings")
                .unfinished(device.is_none() && bytes.len() < 512)
                .detail("device-id", device.as_deref().map(str::as_bytes))
                .into()
        })
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match Message::new(bytes) {
            Some(Message { kind: Kind::VersionAnswer, .. }) => {
                let asked = client.starts_with(&[0, 4, 0, 4, 0, 0, 0, 2]);
                Said::new(&ANSWER, if asked { 16 } else { 8 }, "server answers the version with an empty message")
                    .into()
            }
            None if bytes.len() < Message::HEADER && bytes.first() == Some(&0) => Opening::Short,
            _ => Opening::Foreign,
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let chained: Vec<_> = messages(bytes).collect();
        let reached: usize = chained.iter().map(Message::wire_len).sum();
        let to_the_end = reached + Message::HEADER > bytes.len();
        let bits: i32 = chained.iter().map(|m| if m.kind == Kind::Payload { 2 } else { 5 }).sum();
        if chained.is_empty() || !to_the_end {
            return Opening::Neutral;
        }
        Said::new(role.of(&MESSAGES), bits, format!("{} messages chain to the end", chained.len()))
            .unfinished(true)
            .into()
    }
}

/// The device ID as Digi writes it: four groups of eight hexadecimal digits.
fn device_id(bytes: &[u8]) -> String {
    let group = |four: &[u8]| four.iter().map(|b| format!("{b:02X}")).collect::<String>();
    bytes.chunks(4).map(group).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    const DEVICE: &[u8] = &[
        0, 4, 0, 4, 0, 0, 0, 2, 0, 0x20, 0, 2, 0, 60, 0, 0x21, 0, 2, 0, 60, 0, 0x22, 0, 2, 0, 5, 0, 0x40, 0, 18, 0,
        0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x9d, 0xff, 0xff, 1, 2, 3,
    ];

    #[test]
    fn a_device_and_its_server() {
        let finding = found(&Edp, DEVICE, &[0, 0x10, 0, 0]).unwrap();
        assert_eq!((finding.spoke, finding.settled, finding.bits()), ([true, true], true, Bits::whole(44)));
        assert_eq!(finding.details, [("device-id", "00000000-00000000-00409DFF-FF010203".to_owned())]);
        for n in 0..DEVICE.len() {
            assert!(!excluded(&Edp, &DEVICE[..n], &[0, 0x10, 0, 0][..n.min(4)]), "{n}");
        }
    }

    #[test]
    fn zeros_alone_prove_nothing() {
        assert!(found(&Edp, b"", &[0, 0x10, 0, 0]).is_none());
        assert!(excluded(&Edp, DEVICE, b"HTTP/1.1 200 OK"));
    }

    #[test]
    fn keepalives_show_it_in_the_middle() {
        let keepalives = [0, 0x30, 0, 0].repeat(4);
        assert_eq!(joined(&Edp, &keepalives, &keepalives).unwrap().bits(), Bits::whole(20));
        assert!(joined(&Edp, &[0; 16], &[0; 16]).is_none());
    }
}
