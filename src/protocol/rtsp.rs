//! RTSP: HTTP's shape with its own version (RFC 2326 sections 6 and 7, RFC 7826).

use super::dialogue::{Dialogue, Opening, Said};
use super::text::{self, Start};
use super::{Bits, Family, announce};

/// "METHOD url RTSP/1.0": long fixed text. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "rtsp.request", cap: Bits::whole(24) };
/// "RTSP/1.0 nnn": 80 bits by chance.
static STATUS: Family = Family { id: "rtsp.status", cap: Bits::whole(32) };

const METHODS: &[&str] = &[
    "OPTIONS",
    "DESCRIBE",
    "ANNOUNCE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "RECORD",
    "REDIRECT",
    "PLAY_NOTIFY",
];

/// The recogniser.
pub(super) struct Rtsp;

impl Dialogue for Rtsp {
    const NAME: &'static str = "rtsp";
    const REFERENCE: &'static str = "RFC 7826";
    const ANNOUNCES: Option<announce::Reader> = Some(announce::rtsp);

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, METHODS).then(|| {
            let line = text::line(bytes).map_or(bytes, |(line, _)| line);
            let url = line.split(|&b| b == b' ').nth(1);
            let ours = line.ends_with(b" RTSP/1.0") || line.ends_with(b" RTSP/2.0");
            Opening::or_foreign(ours.then(|| Said::new(&REQUEST, 24, "request line of RTSP").detail("url", url)))
        })
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        match (text::start(bytes, b"RTSP/1.0 "), text::start(bytes, b"RTSP/2.0 ")) {
            (Start::Same, _) | (_, Start::Same) => {
                Said::new(&STATUS, 32, "status line of RTSP").detail("server", text::field(bytes, "Server")).into()
            }
            (Start::Short, _) | (_, Start::Short) => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn request_and_status() {
        let finding = found(&Rtsp, b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"RTSP/1.0 200 OK\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(56));
        assert!(excluded(&Rtsp, b"OPTIONS * HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"));
    }
}
