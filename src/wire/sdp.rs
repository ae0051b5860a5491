//! The media lines of a session description, RFC 8866 section 5.
//!
//! ```text
//! c=IN IP4 192.0.2.7                 for all media, or after an m= line for that one
//! m=audio 49170 RTP/AVP 0 8          kind, port, transport, formats
//! a=rtcp:53020                       RFC 3605: where RTCP goes, if not to the next port
//! a=rtcp-mux                         RFC 5761: to the same port
//! ```

use std::net::IpAddr;

/// Media over RTP that somebody wants to receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Media {
    /// At which address, if it is a single one that is written in numbers.
    pub ip: Option<IpAddr>,
    /// At which port; never zero.
    pub port: u16,
    rtcp: Option<u16>,
}

impl Media {
    /// The port for RTCP.
    pub fn rtcp(&self) -> Option<u16> {
        self.rtcp.or(self.port.checked_add(1)).filter(|port| *port != self.port)
    }
}

/// At most so many media are read of a description.
const MOST: usize = 16;

/// The media over RTP in a message with a session description as its body.
pub fn media(message: &[u8]) -> Vec<Media> {
    let (mut found, mut common): (Vec<Media>, Option<IpAddr>) = (Vec::new(), None);
    let mut within = false;
    for line in message.split(|&b| b == b'\n').filter_map(|l| std::str::from_utf8(l).ok()) {
        let Some((kind, value)) = line.trim_end().split_once('=').filter(|(kind, _)| kind.len() == 1) else { continue };
        match kind {
            "c" => {
                let ip = value.split(' ').nth(2).and_then(|ip| ip.parse().ok());
                match found.last_mut().filter(|_| within) {
                    Some(media) => media.ip = ip,
                    None => common = common.or(ip),
                }
            }
            "m" => {
                let media = described(value).filter(|_| found.len() < MOST);
                within = media.is_some();
                found.extend(media.map(|media| Media { ip: common, ..media }));
            }
            "a" if within => {
                let Some(media) = found.last_mut() else { continue };
                let port = value.strip_prefix("rtcp:").and_then(|v| v.split(' ').next()).and_then(|p| p.parse().ok());
                media.rtcp = if value == "rtcp-mux" { Some(media.port) } else { port.or(media.rtcp) };
            }
            _ => {}
        }
    }
    found
}

/// "audio 49170 RTP/AVP 0 8", "video 51372/2 UDP/TLS/RTP/SAVPF 99".
fn described(value: &str) -> Option<Media> {
    let mut words = value.split(' ');
    let (_kind, port, transport) = (words.next()?, words.next()?, words.next()?);
    let port = port.split('/').next()?.parse().ok().filter(|port| *port > 0)?;
    let over_udp = transport.contains("RTP/") && !transport.contains("TCP");
    over_udp.then_some(Media { ip: None, port, rtcp: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description() {
        let text = b"SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\nv=0\r\no=- 1 1 IN IP4 198.51.100.1\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 0\r\na=rtcp:5001\r\nm=video 6000/2 UDP/TLS/RTP/SAVPF 99\r\nc=IN IP6 2001:db8::7\r\n\
            a=rtcp-mux\r\nm=audio 0 RTP/AVP 0\r\na=rtcp:9\r\nm=image 7000 udptl t38\r\nm=audio 8000 RTP/SAVP 0\r\n";
        let seen: Vec<_> = media(text).iter().map(|m| (m.ip.unwrap().to_string(), m.port, m.rtcp())).collect();
        let expected = [("192.0.2.7", 4000, Some(5001)), ("2001:db8::7", 6000, None), ("192.0.2.7", 8000, Some(8001))];
        assert_eq!(seen, expected.map(|(ip, port, rtcp)| (ip.to_owned(), port, rtcp)));
        assert!(media(b"SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n").is_empty());
    }
}
