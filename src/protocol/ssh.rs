//! SSH: each side begins with its identification string (RFC 4253 section 4.2).

use super::dialogue::{Dialogue, Opening, Said};
use super::text::{self, Start};
use super::{Bits, Family};

/// "SSH-2.0-" is 64 bits by chance. A scanner may send it to anything, so a client's stays below certain.
static CLIENT: Family = Family { id: "ssh.client-identification", cap: Bits::whole(24) };
/// Only an SSH server greets so, whatever the client spoke.
static SERVER: Family = Family { id: "ssh.server-identification", cap: Bits::whole(34) };

/// The recogniser.
pub(super) struct Ssh;

impl Dialogue for Ssh {
    const NAME: &'static str = "ssh";
    const REFERENCE: &'static str = "RFC 4253";

    fn client(&self, bytes: &[u8]) -> Opening {
        identification(bytes, &CLIENT, 24, "client")
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match identification(bytes, &SERVER, 34, "server") {
            // A server may send other lines of text before; that is believed when the client speaks SSH.
            Opening::Foreign if client.starts_with(b"SSH-") && text::is_text(bytes) && bytes.len() < 4096 => {
                let mut rest = bytes;
                while let Some((_, after)) = text::line(rest) {
                    if text::start(after, b"SSH-") == Start::Same {
                        return identification(after, &SERVER, 34, "server");
                    }
                    rest = after;
                }
                Opening::Short
            }
            opening => opening,
        }
    }
}

fn identification(bytes: &[u8], family: &'static Family, bits: i32, who: &'static str) -> Opening {
    text::start(bytes, b"SSH-").then(|| {
        let line = text::line(bytes);
        let all = line.map_or(bytes, |(line, _)| line);
        let mut parts = all.splitn(3, |&b| b == b'-').skip(1);
        let version = match parts.next() {
            Some(b"2.0") => "2.0",
            Some(b"1.99") => "1.99",
            Some([b'1', b'.', ..]) => "1.5",
            _ if line.is_none() && bytes.len() < 9 => return Opening::Short,
            _ => return Opening::Foreign,
        };
        let name = if who == "server" { "server" } else { "client" };
        Said::new(family, bits, format!("{who} begins with the SSH {version} identification string"))
            .variant(version)
            .detail(name, parts.next())
            .unfinished(line.is_none() && bytes.len() < 255)
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn banners_identify_both_sides() {
        let finding = found(&Ssh, b"SSH-2.0-PuTTY\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").unwrap();
        assert_eq!((finding.spoke, finding.settled, finding.variant.as_deref()), ([true, true], true, Some("2.0")));
        assert_eq!(finding.details[1].1, "OpenSSH_9.2p1 Debian-2");
        assert_eq!(found(&Ssh, b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n").unwrap().spoke, [false, true]);
        assert!(found(&Ssh, b"SSH-2.0-x\r\n", b"welcome\r\nSSH-2.0-y\r\n").unwrap().spoke[1]);
    }

    #[test]
    fn others_are_excluded_at_the_first_byte_of_the_server() {
        assert!(excluded(&Ssh, b"", b"220 mail\r\n"));
        assert!(!excluded(&Ssh, b"", b"S"));
    }
}
