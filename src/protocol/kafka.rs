//! Kafka: requests with an API key and a correlation ID that the response repeats (Kafka protocol guide).
//!
//! ```text
//! length (4) | API key (2) | version (2) | correlation ID (4) | client ID length (2) | client ID | …
//! length (4) | correlation ID (4) | …
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be16, be32};
use super::joined::Joined;
use super::{Bits, Family};

/// Small numbers in their ranges and a client ID in text: 50 bits, but of a shape that others could have.
static REQUEST: Family = Family { id: "kafka.request", cap: Bits::whole(16) };
/// A length and the correlation ID; that is often 0 or 1.
static RESPONSE: Family = Family { id: "kafka.correlation-id-echo", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct Kafka;

impl Dialogue for Kafka {
    const NAME: &'static str = "kafka";
    const REFERENCE: &'static str = "Kafka protocol";

    fn client(&self, bytes: &[u8]) -> Opening {
        match request(bytes) {
            // One character is text by chance as often as not.
            Ok(Some(id)) => {
                let bits = i32::try_from(id.len()).map_or(16, |len| (6 + 2 * len).min(16));
                Said::new(&REQUEST, bits, "client sends a request of Kafka with its client ID")
                    .detail("client-id", Some(id))
                    .into()
            }
            Ok(None) => Said::new(&REQUEST, 6, "client sends what may be a request of Kafka").into(),
            Err(opening) => opening,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let (Some(length), Some(correlation)) = (be32(bytes, 0), be32(bytes, 4)) else {
            return if bytes.first() == Some(&0) { Opening::Short } else { Opening::Foreign };
        };
        let asked = be32(client, 8).filter(|_| request(client).is_ok());
        let fits = (4..1 << 26).contains(&length) && asked == Some(correlation);
        match (fits, client.is_empty()) {
            (_, true) if length < 1 << 24 => Opening::Short,
            (true, _) => {
                Said::new(&RESPONSE, worth(correlation), "the response repeats the request's correlation ID").into()
            }
            _ => Opening::Foreign,
        }
    }

    /// The client's requests are alike from the first to the last, but the first answer may be one to an earlier request.
    fn joined(&self, bytes: &Joined<'_>, role: Role, other: &[u8]) -> Opening {
        let asked = be32(other, 8).filter(|_| role == Role::Server && request(other).is_ok());
        let Some(asked) = asked else { return Opening::Foreign };
        let mut rest: &[u8] = bytes;
        while let Some((length, correlation)) = be32(rest, 0).zip(be32(rest, 4)) {
            if !(4..1 << 26).contains(&length) || correlation.wrapping_sub(asked) < 1 << 31 && correlation != asked {
                return Opening::Foreign;
            }
            if correlation == asked {
                return Said::new(&RESPONSE, worth(asked), "a response repeats the correlation ID of a request").into();
            }
            rest = rest.get(4 + length as usize..).unwrap_or_default();
        }
        Opening::Short
    }
}

/// Bits for a correlation ID that comes back. Zeros stand in many places.
fn worth(correlation: u32) -> i32 {
    match correlation {
        0 => 4,
        1..=255 => 10,
        _ => 14,
    }
}

/// The client ID of the first request, if it has one.
fn request(bytes: &[u8]) -> Result<Option<&[u8]>, Opening> {
    let short = || if bytes.first() == Some(&0) && bytes.len() < 64 { Opening::Short } else { Opening::Foreign };
    let (Some(length), Some(key), Some(version), Some(id)) =
        (be32(bytes, 0), be16(bytes, 4), be16(bytes, 6), be16(bytes, 12))
    else {
        return Err(short());
    };
    // 0 to 74 are given out, and version 17 is the highest.
    if !(14..1 << 24).contains(&length) || key > 80 || version > 20 {
        return Err(Opening::Foreign);
    }
    if id == 0xffff || id == 0 {
        return Ok(None);
    }
    let Some(name) = bytes.get(14..14 + id) else { return Err(if id < 256 { short() } else { Opening::Foreign }) };
    let sane = id < 256 && id + 10 <= length as usize && name.iter().all(u8::is_ascii_graphic);
    if sane { Ok(Some(name)) } else { Err(Opening::Foreign) }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn request_and_response() {
        let client = b"\x00\x00\x00\x1a\x00\x12\x00\x03\x00\x00\x10\x01\x00\x07rdkafka\x00\x08librdkafka";
        let finding = found(&Kafka, client, b"\x00\x00\x01\x00\x00\x00\x10\x01\x00\x00").unwrap();
        assert_eq!(finding.bits(), Bits::whole(30));
        assert!(excluded(&Kafka, client, b"\x00\x00\x01\x00\x00\x00\x10\x02\x00\x00"));
    }
    #[test]
    fn an_answer_to_an_earlier_request_may_come_first() {
        let client = b"\x00\x00\x00\x1a\x00\x12\x00\x03\x00\x00\x10\x01\x00\x07rdkafka\x00\x08librdkafka";
        let answers = b"\x00\x00\x00\x06\x00\x00\x10\x00\x00\x00\x00\x00\x00\x06\x00\x00\x10\x01\x00\x00";
        assert_eq!(joined(&Kafka, client, answers).unwrap().bits(), Bits::whole(30));
        assert_eq!(joined(&Kafka, client, &answers[..10]).unwrap().bits(), Bits::whole(16));
    }

    /// SMPP: a length, a command, its status of zero, and a number.
    #[test]
    fn another_header_of_four_words_is_none() {
        let client =
            b"\x00\x00\x00\x15\x00\x00\x00\x04\x00\x00\x00\x00\x00\x01A\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
        let finding = found(&Kafka, client, b"\x00\x00\x00\x11\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00");
        assert!(finding.as_ref().is_none_or(|f| f.bits() < Bits::whole(14)), "{finding:?}");
    }
}
