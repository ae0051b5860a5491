//! SSH: each side begins with its identification string (RFC 4253 section 4.2).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::be32;
use super::joined::Joined;
use super::text::{self, Start};
use super::{Bits, Family};

/// "SSH-2.0-" is 64 bits by chance. A scanner may send it to anything, so a client's stays below certain.
static CLIENT: Family = Family { id: "ssh.client-identification", cap: Bits::whole(24) };
/// Only an SSH server greets so, whatever the client spoke.
static SERVER: Family = Family { id: "ssh.server-identification", cap: Bits::whole(34) };

/// The first packet behind the identification offers algorithms by their names, in text that only SSH has. What comes after
/// the keys are exchanged is encrypted to its lengths, and shows nothing.
static OFFER: [Family; 2] =
    [Family { id: "ssh.client-offer", cap: Bits::whole(20) }, Family { id: "ssh.server-offer", cap: Bits::whole(20) }];

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
            Opening::Foreign
                if text::start(client, b"SSH-") != Start::Other && text::is_text(bytes) && bytes.len() < 4096 =>
            {
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

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        // Length, padding, SSH_MSG_KEXINIT, a cookie of 16 bytes, then lists of names (RFC 4253 sections 6 and 7.1).
        match **bytes {
            [] | [0] | [0, 0] | [0, 0, _] | [0, 0, _, _] | [0, 0, _, _, 4..=20] => return Opening::Short,
            [0, 0, _, _, 4..=20, 20, ..] => {}
            _ => return Opening::Foreign,
        }
        let Some(length) = be32(bytes, 22) else { return Opening::Short };
        let Some(names) = bytes.get(26..26 + (length as usize).min(2048)) else { return Opening::Short };
        let known = [&b"diffie-hellman-group"[..], b"curve25519-sha256", b"ecdh-sha2-"]
            .iter()
            .any(|n| text::contains(names, n));
        let sane = known && names.iter().all(u8::is_ascii_graphic);
        Opening::or_foreign(sane.then(|| Said::new(role.of(&OFFER), 20, "an offer of key exchange methods by name")))
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
    use super::super::dialogue::tests::{excluded, found, joined};
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
    fn others_are_excluded_by_the_servers_bytes_and_text_by_the_clients() {
        assert!(excluded(&Ssh, b"", b"\x16\x03\x01") && excluded(&Ssh, b"EHLO a\r\n", b"220 mail\r\n"));
        assert!(!excluded(&Ssh, b"", b"S") && !excluded(&Ssh, b"", b"welcome\r\n"));
    }
    #[test]
    fn an_offer_of_algorithms_shows_it_when_joined_late() {
        let offer = |names: &[u8]| {
            [&[0, 0, 5, 0x14, 6, 20][..], &[7; 16], &(names.len() as u32).to_be_bytes(), names, &[0, 0, 0, 9]].concat()
        };
        assert_eq!(
            joined(&Ssh, &offer(b"curve25519-sha256,none"), &offer(b"ecdh-sha2-nistp256")).unwrap().bits(),
            Bits::whole(40)
        );
        assert!(joined(&Ssh, &offer(b"something-else"), &[1; 90]).is_none());
    }
}
