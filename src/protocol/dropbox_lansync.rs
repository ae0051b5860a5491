//! Dropbox's LAN sync announcements.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::discovery::LanSync as Message;

/// Dropbox's LAN sync announcements.
pub(super) struct DropboxLansync;

/// A JSON object with the announcement's own field names. Broadcasts are not answered.
static MESSAGE: Family = Family { id: "dropbox-lansync.message", cap: Bits::whole(30) };
/// Never given: broadcasts are not answered.
static ANSWER: Family = Family { id: "dropbox-lansync.answer", cap: Bits::whole(0) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 26,
    further: 2,
    form: "a JSON object with the fields of an announcement",
    answer: &ANSWER,
    answered: 0,
    link: "",
};

impl Protocol for DropboxLansync {
    fn name(&self) -> &'static str {
        "dropbox-lansync"
    }

    fn reference(&self) -> &'static str {
        "observed; no public specification"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == b'{',
            1 => byte == b'"',
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'{', b'"', ..] if d.len >= 40 => Message::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, |_, _| false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&DropboxLansync, "announcements.pcap", Band::Certain);
    }
}
