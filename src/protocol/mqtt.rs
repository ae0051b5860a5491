//! MQTT: CONNECT with the protocol's name from the client, CONNACK from the server (MQTT 3.1.1 section 3.1, 5.0 alike).
//!
//! ```text
//! 10 | remaining length (1..4) | 00 04 'MQTT' or 00 06 'MQIsdp' | level | flags | keepalive (2) | …
//! 20 | remaining length        | 00..01 | return code | properties (5.0)
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// The name between fixed bytes and lengths: over 60 bits. From a client alone it may be a probe.
static CONNECT: Family = Family { id: "mqtt.connect", cap: Bits::whole(26) };
/// Four bytes, 28 bits by chance; small binary acknowledgements are common, so it counts as the answer.
static CONNACK: Family = Family { id: "mqtt.connack", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct Mqtt;

impl Dialogue for Mqtt {
    const NAME: &'static str = "mqtt";
    const REFERENCE: &'static str = "MQTT 5.0";

    fn client(&self, bytes: &[u8]) -> Opening {
        let [0x10, rest @ ..] = bytes else { return Opening::Foreign };
        let digits = rest.iter().take(4).take_while(|&&b| b & 0x80 != 0).count();
        let Some(body) = rest.get(digits + 1..) else {
            return if digits < 4 { Opening::Short } else { Opening::Foreign };
        };
        let name = [&b"\x00\x04MQTT"[..], b"\x00\x06MQIsdp"]
            .into_iter()
            .find(|name| body.iter().zip(*name).all(|(a, b)| a == b));
        let Some(name) = name else { return Opening::Foreign };
        let Some((level, flags)) = body.get(name.len()).zip(body.get(name.len() + 1)) else { return Opening::Short };
        let variant = match level & 0x7f {
            3 => "3.1",
            4 => "3.1.1",
            5 => "5.0",
            _ => return Opening::Foreign,
        };
        // Bit 0 of the flags is reserved.
        Opening::or_foreign(
            (flags & 1 == 0).then(|| Said::new(&CONNECT, 26, "client connects as in MQTT").variant(variant)),
        )
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let bits = if client.first() == Some(&0x10) { 14 } else { 4 };
        match bytes {
            [0x20, 2..=0x7f, 0..=1, 0..=5 | 0x80..=0x9f, ..] => {
                Said::new(&CONNACK, bits, "server acknowledges the connect").into()
            }
            [0x20, rest @ ..] if rest.len() < 3 => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn connect_and_ack() {
        let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test";
        let finding = found(&Mqtt, connect, &[0x20, 2, 0, 0]).unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(40), Some("3.1.1")));
        assert!(found(&Mqtt, b"", &[0x20, 2, 0, 0]).is_none());
        assert!(excluded(&Mqtt, connect, &[0x30, 2, 0, 0]));
        for n in 1..connect.len() {
            assert!(!matches!(Mqtt.client(&connect[..n]), Opening::Foreign), "{n}");
        }
    }
}
