//! S7 communication of Siemens controllers: units that begin with 32 on an ISO transport connection.
//!
//! ```text
//! 32 | job 01, ack 02, ack with data 03, user data 07 | 00 00 | reference (2) | parameter length (2) | data length (2)
//! 72 | version 01..03 | length (2)                              S7comm plus
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::be16;
use super::{Bits, Family};
use crate::wire::tpkt::{X224, packets};

/// On top of TPKT: five bytes fixed or from short lists, and lengths that fill the unit.
static CLIENT: Family = Family { id: "s7comm.client-unit", cap: Bits::whole(24) };
/// The same from the controller.
static SERVER: Family = Family { id: "s7comm.server-unit", cap: Bits::whole(28) };

/// The recogniser.
pub(super) struct S7comm;

impl Dialogue for S7comm {
    const NAME: &'static str = "s7comm";
    const REFERENCE: &'static str = "Siemens S7";

    fn client(&self, bytes: &[u8]) -> Opening {
        unit(bytes, &CLIENT, 24, "client")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        unit(bytes, &SERVER, 28, "controller")
    }
}

fn unit(bytes: &[u8], family: &'static Family, bits: i32, who: &str) -> Opening {
    if ![3, 0].starts_with(bytes.get(..bytes.len().min(2)).unwrap_or_default()) {
        return Opening::Foreign;
    }
    let mut seen = 0;
    for packet in packets(bytes).take(3) {
        seen += 1;
        match packet.x224() {
            Some(X224::Data([0x32, 1..=3 | 7, 0, 0, _, _, rest @ ..])) => {
                let fits = be16(rest, 0).is_none_or(|n| n + 17 <= packet.length);
                return Opening::or_foreign(
                    fits.then(|| Said::new(family, bits, format!("{who} sends a unit of S7")).variant("s7comm")),
                );
            }
            Some(X224::Data([0x72, 1..=3, _, _, ..])) => {
                return Said::new(family, bits - 6, format!("{who} sends a unit of S7 plus"))
                    .variant("s7comm-plus")
                    .into();
            }
            Some(X224::Data([] | [0x32 | 0x72, ..])) | None => break,
            Some(X224::Data(_)) => return Opening::Foreign,
            _ => {}
        }
    }
    if seen < 3 { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::found;
    use super::*;

    #[test]
    fn after_the_connection() {
        let request = [3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 1, 0];
        let job = [3, 0, 0, 25, 2, 0xf0, 0x80, 0x32, 1, 0, 0, 0, 1, 0, 8, 0, 0, 0xf0, 0, 0, 1, 0, 1, 1, 0xe0];
        let finding = found(&S7comm, &[&request[..], &job].concat(), &[]).unwrap();
        assert_eq!(finding.bits(), Bits::whole(24));
        assert!(found(&S7comm, &request, &request).is_none());
    }
}
