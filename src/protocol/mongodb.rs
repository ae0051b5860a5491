//! MongoDB's wire protocol: a header of four little-endian numbers, then BSON.
//!
//! ```text
//! length (4) | request ID (4) | response to (4) | opcode (4) | …
//! opcodes: 1 reply, 2004 query, 2012 compressed, 2013 message
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::le32;
use super::{Bits, Family};

/// A length, a zero and an opcode of a short list: 75 bits by chance. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "mongodb.request", cap: Bits::whole(22) };
/// The same in answer.
static REPLY: Family = Family { id: "mongodb.reply", cap: Bits::whole(16) };
/// The reply names the request's ID.
static ECHO: Family = Family { id: "mongodb.request-id-echo", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct Mongodb;

impl Dialogue for Mongodb {
    const NAME: &'static str = "mongodb";
    const REFERENCE: &'static str = "MongoDB Wire Protocol";

    fn client(&self, bytes: &[u8]) -> Opening {
        match header(bytes) {
            Some((_, 0, 2004 | 2012 | 2013)) => Said::new(&REQUEST, 22, "client sends a request of MongoDB").into(),
            None if may_be(bytes) => Opening::Short,
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (header(bytes), header(client)) {
            (Some((_, to, 1 | 2012 | 2013)), Some((id, ..))) if to == id => {
                Said::new(&REPLY, 16, "server sends a reply of MongoDB")
                    .and(&ECHO, if id < 256 { 8 } else { 14 }, 8, "the reply names the request's ID")
                    .into()
            }
            (Some((_, _, 2012 | 2013)), _) => Said::new(&REPLY, 14, "server sends a reply of MongoDB").into(),
            // A one is in many places.
            (Some((_, _, 1)), _) => Said::new(&REPLY, 10, "server sends what may be a reply of MongoDB").into(),
            (None, _) if may_be(bytes) => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

/// Request ID, response to, opcode.
fn header(bytes: &[u8]) -> Option<(u32, u32, u32)> {
    let length = le32(bytes, 0)?;
    (26..48_000_000).contains(&length).then_some((le32(bytes, 4)?, le32(bytes, 8)?, le32(bytes, 12)?))
}

fn may_be(bytes: &[u8]) -> bool {
    bytes.len() < 16 && le32(bytes, 0).is_none_or(|length| (26..48_000_000).contains(&length))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    fn message(id: u32, to: u32, opcode: u32) -> Vec<u8> {
        [60, id, to, opcode, 0].iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    #[test]
    fn request_and_reply() {
        let finding = found(&Mongodb, &message(99_999, 0, 2013), &message(7, 99_999, 2013)).unwrap();
        assert_eq!(finding.bits(), Bits::whole(52));
        assert!(excluded(&Mongodb, &message(1, 0, 2004), &message(7, 1, 2004)));
    }
}
