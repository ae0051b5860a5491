//! LISP's encapsulated packets. The other direction is a flow of its own, since each end picks a source port.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::lisp::{self, Data};

/// The data plane of the Locator/ID Separation Protocol.
pub(super) struct LispData;

/// Eight bytes of which eleven bits are fixed or agree, then an IP packet that ends with the datagram: other tunnels put
/// eight bytes before an IP packet, too, so that several must agree and it is never certain.
static PACKET: Family = Family { id: "lisp-data.packet", cap: Bits::whole(24) };
/// Both sides send such packets in one flow; usually each direction has a source port of its own.
static BOTH: Family = Family { id: "lisp-data.both-sides", cap: Bits::whole(4) };

static SHAPE: Shape = Shape {
    message: &PACKET,
    first: 14,
    further: 2,
    form: "LISP's header, and an IP packet that ends with the datagram",
    answer: &BOTH,
    answered: 4,
    link: "both sides send such packets",
};

/// Without any flag the header is eight zero bytes: any tunnel that has no use for its header may have such.
static BARE: Family = Family { id: "lisp-data.bare-packet", cap: Bits::whole(15) };

static BARE_SHAPE: Shape = Shape {
    message: &BARE,
    first: 9,
    form: "eight zero bytes, as of LISP's header without flags, and an IP packet that ends with the datagram",
    ..SHAPE
};

impl Protocol for LispData {
    fn name(&self) -> &'static str {
        "lisp-data"
    }

    fn reference(&self) -> &'static str {
        "RFC 9300"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || byte & 7 == 0
    }

    fn shortest(&self) -> usize {
        28
    }

    fn is_one_way(&self) -> bool {
        // RFC 9300 section 5.1: the source port is made of the inner packet's addresses.
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [first, ..] if first & 7 == 0 && d.len >= self.shortest() => lisp::data(d.bytes, d.len),
            _ => None,
        });
        let bare = reading.hits.iter().all(|h| h.message == Data::Bare);
        reading.conclude(datagrams::tunnel(&reading, if bare { &BARE_SHAPE } else { &SHAPE }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&LispData, "oor-instance.pcap", Band::Confident);
        replay::expect(&LispData, "oor.pcap", Band::Likely);
    }
}
