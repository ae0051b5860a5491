//! Syslog: one-way text with a priority in front.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::syslog::{Form, Syslog as Message};

/// Syslog.
pub(super) struct Syslog;

/// "<priority>", and a time stamp where the standards have it: no other text starts like that. Without the time stamp
/// "<", a number and ">" could open any markup, and several messages are needed.
static MESSAGE: Family = Family { id: "syslog.message", cap: Bits::whole(30) };

impl Protocol for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn reference(&self) -> &'static str {
        "RFC 5424, RFC 3164"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == b'<',
            1 => byte.is_ascii_digit(),
            _ => true,
        }
    }

    fn is_one_way(&self) -> bool {
        // Simplex by design (RFC 5426 section 3.2).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'<', b'0'..=b'9', ..] => Message::new(d.bytes),
            _ => None,
        });
        let [Some(first), ..] = [reading.hits.first()] else { return reading.nothing() };
        // Nothing comes back in syslog.
        if reading.mostly_foreign() || reading.both() {
            return Assessment::NotNow;
        }
        let stamped = reading.hits.iter().filter(|h| h.message.form != Form::Bare).count() as i32;
        let bare = reading.hits.len() as i32 - stamped;
        let (bits, text) = match stamped {
            0 => ((7 + bare).min(16), "each message starts with a priority in angle brackets and goes on as text"),
            _ => (20 + 2 * (stamped - 1), "a priority in angle brackets and a syslog time stamp start the message"),
        };
        let variant = match first.message.form {
            Form::Rfc5424 => Some("rfc5424".into()),
            Form::Rfc3164 => Some("rfc3164".into()),
            Form::Bare => None,
        };
        Assessment::Recognised(Finding {
            variant,
            evidence: vec![item(&MESSAGE, bits, reading.frames(|_| true), text)],
            server: Some(first.datagram.dir.other()),
            spoke: reading.spoke(),
            ..Finding::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Syslog, "logger.pcap", Band::Confident);
    }
}
