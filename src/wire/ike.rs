//! IKE messages, version 1 (RFC 2408 section 3.1) and version 2 (RFC 7296 section 3.1).
//!
//! ```text
//! +---------------------------------------------------------------+
//! |                IKE SA Initiator's SPI (8 bytes)               |
//! +---------------------------------------------------------------+
//! |                IKE SA Responder's SPI (8 bytes)               |
//! +---------------------------------------------------------------+
//! |  Next Payload | Version (4+4) | Exchange Type |     Flags     |
//! +---------------------------------------------------------------+
//! |                          Message ID                           |
//! +---------------------------------------------------------------+
//! |                            Length                             |
//! +---------------------------------------------------------------+
//! ```

/// Bytes of the header.
pub const HEADER: usize = 28;

/// Major versions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Version {
    /// ISAKMP, RFC 2408 and 2409.
    V1,
    /// RFC 7296.
    V2,
}

impl Version {
    /// `"v1"` or `"v2"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// An exchange type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Exchange(pub u8);

impl Exchange {
    /// Its name as in IANA's ISAKMP and IKEv2 registries.
    pub fn name(self) -> &'static str {
        match self.0 {
            1 => "Base",
            2 => "Identity Protection (main mode)",
            3 => "Authentication Only",
            4 => "Aggressive",
            5 => "Informational",
            6 => "Transaction",
            32 => "Quick Mode",
            33 => "New Group Mode",
            34 => "IKE_SA_INIT",
            35 => "IKE_AUTH",
            36 => "CREATE_CHILD_SA",
            37 => "INFORMATIONAL",
            38 => "IKE_SESSION_RESUME",
            39 => "GSA_AUTH",
            40 => "GSA_REGISTRATION",
            41 => "GSA_REKEY",
            43 => "IKE_INTERMEDIATE",
            44 => "IKE_FOLLOWUP_KE",
            _ => "private use",
        }
    }

    /// Whether `version` defines it. Private use of version 1 (240 and up) includes Microsoft's AuthIP.
    fn is_of(self, version: Version) -> bool {
        match version {
            Version::V1 => matches!(self.0, 1..=6 | 32 | 33 | 240..=255),
            Version::V2 => matches!(self.0, 34..=41 | 43 | 44),
        }
    }
}

/// The payload type that holds everything else encrypted (RFC 7296 section 3.14) and its fragment (RFC 7383).
const ENCRYPTED: [u8; 2] = [46, 53];
/// Version 1's vendor ID payload, and version 2's.
const VENDOR_ID: [u8; 2] = [13, 43];

/// An IKE message whose header has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Ike<'a> {
    initiator: [u8; 8],
    responder: [u8; 8],
    next: u8,
    version: Version,
    exchange: Exchange,
    flags: u8,
    message_id: Option<u32>,
    payloads: &'a [u8],
    whole: bool,
    cut: bool,
}

impl<'a> Ike<'a> {
    /// Reads the visible front of a message of `len` bytes (without marker), at least up to the flags. `None` unless
    /// every visible field of the header is legal together with the others and the length field says exactly `len`.
    pub fn new(len: usize, bytes: &'a [u8]) -> Option<Self> {
        // Most other bytes fail here.
        let version = match bytes.get(17)? {
            0x10 => Version::V1,
            0x20 => Version::V2,
            _ => return None,
        };
        let (initiator, rest) = bytes.split_first_chunk::<8>()?;
        let (responder, rest) = rest.split_first_chunk::<8>()?;
        let (&[next, _, exchange, flags], rest) = rest.split_first_chunk::<4>()?;
        let number = |at: usize| rest.get(at..at + 4)?.first_chunk::<4>().map(|n| u32::from_be_bytes(*n));
        let (message_id, length) = (number(0), number(4));
        let payloads = rest.get(8..).unwrap_or_default();
        let exchange = Exchange(exchange);
        let length_fits = length.is_none_or(|l| l as usize == len) && len >= HEADER;
        let whole = length.is_some() && payloads.len() + HEADER >= len;
        let cut = length.is_none();
        let message = Self {
            initiator: *initiator,
            responder: *responder,
            next,
            version,
            exchange,
            flags,
            message_id,
            payloads,
            whole,
            cut,
        };
        (length_fits && exchange.is_of(version) && message.is_consistent()).then_some(message)
    }

    /// Rules that tie the fields together.
    fn is_consistent(&self) -> bool {
        let no_responder = self.responder == [0; 8];
        let payload_type = match self.version {
            Version::V1 => matches!(self.next, 0..=21 | 128..=255),
            Version::V2 => matches!(self.next, 0 | 33..=54 | 128..=255),
        };
        // Version 1 has encryption, commit and authentication-only in the low bits; version 2 initiator, higher version
        // and response above them. The rest is zero.
        let flags = match self.version {
            Version::V1 => self.flags & !0x07 == 0,
            Version::V2 => self.flags & !0x38 == 0,
        };
        let first = match self.version {
            Version::V1 => !no_responder || self.flags & 1 == 0,
            // Only a first request does without the responder's SPI, and it has message ID 0; a refusal (a cookie,
            // another group) may leave it out as well.
            Version::V2 => !no_responder || (matches!(self.exchange.0, 34 | 38) && self.message_id.unwrap_or(0) == 0),
        };
        self.initiator != [0; 8] && payload_type && flags && first
    }

    /// The initiator's SPI ("cookie" in version 1), never zero.
    pub fn initiator_spi(&self) -> [u8; 8] {
        self.initiator
    }

    /// The responder's SPI; zero in a first request.
    pub fn responder_spi(&self) -> [u8; 8] {
        self.responder
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The exchange type.
    pub fn exchange(&self) -> Exchange {
        self.exchange
    }

    /// Whether the capture cut the message before its length field, which was not checked then.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether the sender is the initiator of the IKE SA; `None` where the header does not say (version 1 after the
    /// first message).
    pub fn from_initiator(&self) -> Option<bool> {
        match self.version {
            Version::V2 => Some(self.flags & 0x08 != 0),
            Version::V1 => (self.responder == [0; 8]).then_some(true),
        }
    }

    /// Walks the chain of payloads.
    pub fn payloads(&self) -> Payloads<'a> {
        let sealed = self.version == Version::V1 && self.flags & 1 != 0;
        Payloads { next: if sealed { 0 } else { self.next }, rest: self.payloads, ended_well: !sealed }
    }

    /// How the chain of payloads came out.
    pub fn chain(&self) -> Chain {
        if self.version == Version::V1 && self.flags & 1 != 0 {
            return Chain::Hidden;
        }
        if self.cut {
            return Chain::Cut(0);
        }
        let mut walk = self.payloads();
        let count = walk.by_ref().count();
        match (self.whole, walk.next == 0 && walk.ended_well && walk.rest.len() < 16) {
            (true, true) => Chain::Exact(count),
            (true, false) => Chain::Broken,
            (false, _) => Chain::Cut(count),
        }
    }

    /// The vendor IDs in clear.
    pub fn vendor_ids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.payloads().filter(|p| VENDOR_ID.contains(&p.kind)).map(|p| p.body)
    }
}

/// How a walk along a message's payloads ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// At the message's end, after so many payloads.
    Exact(usize),
    /// At the end of the visible bytes, after so many payloads.
    Cut(usize),
    /// The payloads are encrypted, and so is the chain.
    Hidden,
    /// The payloads do not fill the message.
    Broken,
}

/// One payload: its type, and what follows its generic header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PayloadView<'a> {
    /// Payload type.
    pub kind: u8,
    /// Its bytes.
    pub body: &'a [u8],
}

/// The walk along the generic payload headers: next payload, reserved, 16-bit length (RFC 7296 section 3.2).
#[derive(Clone, Debug)]
pub struct Payloads<'a> {
    next: u8,
    rest: &'a [u8],
    ended_well: bool,
}

impl<'a> Iterator for Payloads<'a> {
    type Item = PayloadView<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == 0 {
            return None;
        }
        let step = self.rest.split_first_chunk::<4>().and_then(|(&[next, _, high, low], _)| {
            let len = usize::from(u16::from_be_bytes([high, low]));
            let (payload, rest) = self.rest.split_at_checked(len)?;
            Some((next, payload.get(4..)?, rest))
        });
        let Some((next, body, rest)) = step else {
            self.ended_well = false;
            return None;
        };
        let kind = self.next;
        // What an encrypted payload names as next is the first one inside.
        self.next = if ENCRYPTED.contains(&kind) { 0 } else { next };
        self.rest = rest;
        Some(PayloadView { kind, body })
    }
}

/// Vendor IDs that say which NAT traversal a version 1 peer speaks, and a few that name the implementation. Those of
/// NAT traversal are MD5 sums of the draft's name.
const VENDORS: &[(&[u8], &str)] = &[
    (b"\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f", "RFC 3947"),
    (b"\x7d\x94\x19\xa6\x53\x10\xca\x6f\x2c\x17\x9d\x92\x15\x52\x9d\x56", "draft-ietf-ipsec-nat-t-ike-03"),
    (b"\xcd\x60\x46\x43\x35\xdf\x21\xf8\x7c\xfd\xb2\xfc\x68\xb6\xa4\x48", "draft-ietf-ipsec-nat-t-ike-02"),
    (b"\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f", "draft-ietf-ipsec-nat-t-ike-02\\n"),
    (b"\x44\x85\x15\x2d\x18\xb6\xbb\xcd\x0b\xe8\xa8\x46\x95\x79\xdd\xcc", "draft-ietf-ipsec-nat-t-ike-00"),
    (b"\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57\x01\x00", "RFC 3706 dead peer detection"),
];

/// What a vendor ID means, if it is a known one.
pub fn vendor(id: &[u8]) -> Option<&'static str> {
    VENDORS.iter().find(|(known, _)| id.starts_with(known)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 2 IKE_SA_INIT request with one nonce payload.
    fn request() -> Vec<u8> {
        let mut message = vec![1, 2, 3, 4, 5, 6, 7, 8];
        message.extend([0; 8]);
        message.extend([40, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, 48]);
        message.extend([0, 0, 0, 20]);
        message.extend([0xaa; 16]);
        message
    }

    #[test]
    fn a_request_is_read() {
        let bytes = request();
        let ike = Ike::new(bytes.len(), &bytes).unwrap();
        assert_eq!(
            (ike.version(), ike.exchange().name(), ike.from_initiator()),
            (Version::V2, "IKE_SA_INIT", Some(true))
        );
        assert_eq!(ike.chain(), Chain::Exact(1));
    }

    #[test]
    fn every_wrong_field_is_refused() {
        for (at, value) in [(16, 5), (17, 0x30), (18, 99), (19, 0x80), (27, 47), (23, 1)] {
            let mut bytes = request();
            bytes[at] = value;
            assert!(Ike::new(bytes.len(), &bytes).is_none(), "byte {at}");
        }
        let mut bytes = request();
        bytes[..8].fill(0);
        assert!(Ike::new(bytes.len(), &bytes).is_none());
    }

    #[test]
    fn a_chain_that_does_not_fill_the_message_is_broken() {
        let mut bytes = request();
        bytes[31] = 21;
        assert_eq!(Ike::new(bytes.len(), &bytes).unwrap().chain(), Chain::Broken);
        assert_eq!(Ike::new(request().len(), &request()[..40]).unwrap().chain(), Chain::Cut(0));
    }

    #[test]
    fn nat_traversal_vendor_ids_are_known() {
        assert_eq!(vendor(b"\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f"), Some("RFC 3947"));
        assert_eq!(vendor(b"\x4a\x13"), None);
    }
}
