//! ISO transport over TCP (RFC 1006): a connection request and its confirmation, whatever runs above (S7, MMS, X.400, RDP).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};
use crate::wire::tpkt::{Tpkt, X224};

/// TPKT and X.224 headers whose lengths agree: 45 bits. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "tpkt.connection-request", cap: Bits::whole(18) };
/// The same, and it names the request's reference: 16 bits more, but references are small numbers.
static CONFIRM: Family = Family { id: "tpkt.connection-confirm", cap: Bits::whole(20) };
/// Data units on a connection whose start was not seen.
static DATA: [Family; 2] =
    [Family { id: "tpkt.client-data", cap: Bits::whole(12) }, Family { id: "tpkt.server-data", cap: Bits::whole(12) }];

/// The recogniser.
pub(super) struct IsoTransport;

impl Dialogue for IsoTransport {
    const NAME: &'static str = "tpkt";
    const REFERENCE: &'static str = "RFC 1006";

    fn client(&self, bytes: &[u8]) -> Opening {
        match Tpkt::new(bytes).and_then(|t| t.x224()) {
            Some(X224::ConnectionRequest { destination: 0, .. }) => {
                let said = Said::new(&REQUEST, 18, "client requests an ISO transport connection");
                said.unfinished(nothing_above(bytes)).into()
            }
            Some(X224::Data(_)) => Said::new(role(0), 12, "client sends ISO transport data").into(),
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = Tpkt::new(client).and_then(|t| t.x224());
        match (Tpkt::new(bytes).and_then(|t| t.x224()), asked) {
            (Some(X224::ConnectionConfirm { destination, .. }), Some(X224::ConnectionRequest { source, .. }))
                if destination == source =>
            {
                let said = Said::new(&CONFIRM, 20, "server confirms and names the request's reference");
                said.unfinished(nothing_above(bytes)).into()
            }
            (Some(X224::ConnectionConfirm { .. }), _) => {
                let said = Said::new(&CONFIRM, 16, "server confirms an ISO transport connection");
                said.unfinished(nothing_above(bytes)).into()
            }
            (Some(X224::Data(_)), _) => Said::new(role(1), 12, "server sends ISO transport data").into(),
            (None, _) => short(bytes),
            _ => Opening::Foreign,
        }
    }
}

/// Whether the connection's first packet is all there is: what runs above, and names it better, may follow.
fn nothing_above(bytes: &[u8]) -> bool {
    Tpkt::new(bytes).is_some_and(|t| bytes.len() <= t.length)
}

fn role(n: usize) -> &'static Family {
    let [client, server] = &DATA;
    if n == 0 { client } else { server }
}

/// What a beginning is that is no whole packet.
pub(super) fn short(bytes: &[u8]) -> Opening {
    if Tpkt::is_begun(bytes) { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn request_and_confirm() {
        let request = [3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 4, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
        let mut confirm = request;
        confirm[5..10].copy_from_slice(&[0xd0, 0, 4, 0, 9]);
        assert_eq!(found(&IsoTransport, &request, &confirm).unwrap().bits(), Bits::whole(38));
        assert!(excluded(&IsoTransport, &request, &[3, 0, 0, 0, 0, 0, 0]));
        assert!(!excluded(&IsoTransport, &request[..5], &confirm[..6]));
    }
}
