//! TPKT (RFC 1006 section 6) and the connection-oriented transport protocol inside it (ISO 8073, X.224 section 13).
//!
//! ```text
//! 03 | 00 | length (2)                                          TPKT, the length includes these four bytes
//! length indicator | code | …                                   X.224
//! E0 CR, D0 CC: destination (2) source (2) class | parameters   F0 DT: number and end mark (80), then data
//! ```

/// A TPKT, or as much of it as there is.
#[derive(Clone, Copy, Debug)]
pub struct Tpkt<'a> {
    /// Length on the wire, header included.
    pub length: usize,
    /// What it carries, as much of it as there is.
    pub payload: &'a [u8],
}

impl<'a> Tpkt<'a> {
    /// Length of the header in bytes.
    pub const HEADER: usize = 4;

    /// The packet at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (&[3, 0, high, low], rest) = bytes.split_first_chunk()? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let payload = length.checked_sub(Self::HEADER).filter(|&n| n >= 3)?;
        Some(Self { length, payload: rest.get(..payload.min(rest.len())).unwrap_or_default() })
    }

    /// Whether more bytes may make `bytes` the start of a packet whose X.224 header is all there.
    pub fn is_begun(bytes: &[u8]) -> bool {
        let beginning = [3, 0, 0].starts_with(bytes.get(..bytes.len().min(2)).unwrap_or_default());
        let cut = |t: Tpkt<'_>| t.payload.first().is_some_and(|&n| t.payload.len() <= usize::from(n));
        beginning && (bytes.len() < 7 || Tpkt::new(bytes).is_some_and(cut))
    }

    /// What it carries, as X.224; none if that is not all there or is something else (H.225).
    pub fn x224(&self) -> Option<X224<'a>> {
        let (&indicator, rest) = self.payload.split_first()?;
        let (header, data) = rest.split_at_checked(usize::from(indicator))?;
        match header {
            [0xe0..=0xef, d0, d1, s0, s1, class, parameters @ ..] if class & 0x0c == 0 => {
                Some(X224::ConnectionRequest {
                    destination: u16::from_be_bytes([*d0, *d1]),
                    source: u16::from_be_bytes([*s0, *s1]),
                    parameters,
                })
            }
            [0xd0..=0xdf, d0, d1, s0, s1, class, parameters @ ..] if class & 0x0c == 0 => {
                Some(X224::ConnectionConfirm {
                    destination: u16::from_be_bytes([*d0, *d1]),
                    source: u16::from_be_bytes([*s0, *s1]),
                    parameters,
                })
            }
            [0xf0, 0x00 | 0x80] => Some(X224::Data(data)),
            _ => None,
        }
    }
}

/// An X.224 unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum X224<'a> {
    /// CR, with references of both ends (the destination's is zero) and its parameters, which may hold a cookie.
    ConnectionRequest {
        /// The other end's reference.
        destination: u16,
        /// The sender's.
        source: u16,
        /// Type, length, value each; RDP puts other things there.
        parameters: &'a [u8],
    },
    /// CC, the answer.
    ConnectionConfirm {
        /// The requester's reference.
        destination: u16,
        /// The sender's.
        source: u16,
        /// As in the request.
        parameters: &'a [u8],
    },
    /// DT, with what it carries.
    Data(&'a [u8]),
}

/// The packets at the start of `bytes`, until one is none.
pub fn packets(bytes: &[u8]) -> impl Iterator<Item = Tpkt<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let packet = Tpkt::new(rest)?;
        rest = rest.get(packet.length..).unwrap_or_default();
        Some(packet)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let request = [3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 1, 0];
        let expected = X224::ConnectionRequest { destination: 0, source: 1, parameters: &[] };
        assert_eq!(Tpkt::new(&request).unwrap().x224(), Some(expected));
        assert_eq!(Tpkt::new(&[3, 0, 0, 8, 2, 0xf0, 0x80, 9]).unwrap().x224(), Some(X224::Data(&[9])));
        assert!(Tpkt::new(&[3, 0, 0, 6, 1, 2]).is_none());
        assert_eq!(packets(&[&request[..], &request[..], &[3, 1]].concat()).count(), 2);
        assert!(
            Tpkt::is_begun(&[3])
                && Tpkt::is_begun(&request[..8])
                && !Tpkt::is_begun(&request)
                && !Tpkt::is_begun(&[3, 1])
        );
    }
}
