//! Zabbix: "ZBXD", flags and a length, both ways (Zabbix manual, "Header").
//!
//! ```text
//! 'ZBXD' | flags 01 protocol, 02 compressed, 04 large | length (4, LE) | reserved or length inflated (4, LE) | JSON or zlib
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::{Bits, Family, text};

/// Five fixed bytes and short lists: 38 bits and a plausible length.
static SIDES: [Family; 2] = [
    Family { id: "zabbix.client-header", cap: Bits::whole(24) },
    Family { id: "zabbix.server-header", cap: Bits::whole(28) },
];

/// The recogniser.
pub(super) struct Zabbix;

impl Dialogue for Zabbix {
    const NAME: &'static str = "zabbix";
    const REFERENCE: &'static str = "Zabbix protocol";

    fn client(&self, bytes: &[u8]) -> Opening {
        header(bytes, Role::Client, 24)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        header(bytes, Role::Server, 28)
    }
}

fn header(bytes: &[u8], role: Role, bits: i32) -> Opening {
    text::start(bytes, b"ZBXD").then(|| match bytes.get(4) {
        None => Opening::Short,
        Some(1 | 3 | 5 | 7) => Said::new(role.of(&SIDES), bits, "first bytes are Zabbix's header").into(),
        Some(_) => Opening::Foreign,
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(found(&Zabbix, b"ZBXD\x01\x05\0\0\0\0\0\0\0hello", b"ZBXD\x03").unwrap().bits(), Bits::whole(52));
        assert!(excluded(&Zabbix, b"ZBXD\x01", b"ZBXD\x00"));
    }
}
