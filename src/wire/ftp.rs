//! The lines of FTP's control connection that say where data will flow.
//!
//! ```text
//! PORT 192,0,2,7,4,1                                    RFC 959 section 4.1.2: the client listens at 192.0.2.7:1025
//! EPRT |2|2001:db8::7|1025|                             RFC 2428 section 2
//! 227 Entering Passive Mode (192,0,2,1,4,1)             RFC 959 section 5.4: the server listens
//! 229 Entering Extended Passive Mode (|||1025|)         RFC 2428 section 3
//! ```

use std::net::{IpAddr, Ipv4Addr};

/// Where one side listens for a data connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataPort {
    /// The address, if the line names one.
    pub ip: Option<IpAddr>,
    /// The port; never zero.
    pub port: u16,
}

impl DataPort {
    /// Reads a line, with or without its end.
    pub fn new(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line.get(..line.len().min(256))?).ok()?.trim_end();
        let (word, rest) = line.split_at_checked(4)?;
        let found = match word.to_ascii_uppercase().as_str() {
            "PORT" => six(rest.strip_prefix(' ')?.trim()),
            "EPRT" => extended(rest.strip_prefix(' ')?.trim()),
            // The text is free; some servers leave the parentheses out (RFC 1123 section 4.1.2.6).
            "227 " => six(rest.get(rest.find(|c: char| c.is_ascii_digit())?..)?),
            "229 " => extended(rest.split_once('(')?.1.split_once(')')?.0),
            _ => None,
        };
        found.filter(|data| data.port > 0)
    }
}

/// "h1,h2,h3,h4,p1,p2", and what follows.
fn six(text: &str) -> Option<DataPort> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ',')).unwrap_or(text.len());
    let numbers: Option<Vec<u8>> = text.get(..end)?.split(',').map(|n| n.parse().ok()).collect();
    let [a, b, c, d, high, low] = numbers?.try_into().ok()?;
    Some(DataPort { ip: Some(Ipv4Addr::new(a, b, c, d).into()), port: u16::from_be_bytes([high, low]) })
}

/// "|2|2001:db8::7|1025|", "|||1025|", with any delimiter.
fn extended(text: &str) -> Option<DataPort> {
    let delimiter = text.chars().next().filter(|c| !c.is_alphanumeric())?;
    let parts: Vec<&str> = text.split(delimiter).collect();
    let ["", _, ip, port, ""] = *parts.as_slice() else { return None };
    let ip = if ip.is_empty() { None } else { Some(ip.parse().ok()?) };
    Some(DataPort { ip, port: port.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let at = |ip: &str, port| Some(DataPort { ip: Some(ip.parse().unwrap()), port });
        assert_eq!(DataPort::new(b"PORT 192,0,2,7,4,1\r\n"), at("192.0.2.7", 1025));
        assert_eq!(DataPort::new(b"eprt |2|2001:db8::7|1025|\r"), at("2001:db8::7", 1025));
        assert_eq!(DataPort::new(b"227 Entering Passive Mode (192,0,2,1,4,1)."), at("192.0.2.1", 1025));
        assert_eq!(DataPort::new(b"227 =192,0,2,1,4,1"), at("192.0.2.1", 1025));
        assert_eq!(DataPort::new(b"229 Extended (|||1025|)"), Some(DataPort { ip: None, port: 1025 }));
        for other in
            [&b"PORT 192,0,2,7,4"[..], b"PORT 300,0,2,7,4,1", b"227 ok", b"229 (1025)", b"PORT 1,1,1,1,0,0", b""]
        {
            assert_eq!(DataPort::new(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
