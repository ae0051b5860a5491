//! OpenVPN's wire format: the control channel's packets in clear or wrapped, the data channel's headers.
//!
//! Source: OpenVPN `src/openvpn/ssl_pkt.h`, `tls_crypt.h`, `reliable.h` and the protocol draft in OpenVPN/openvpn-rfc.
//! UDP carries one packet a datagram; TCP puts a 16-bit big-endian length (not counting itself) before each.
//!
//! ```text
//! control (opcodes 1-5, 7, 8, 10, 11)               data
//!  0        1                 9                       0        1            4            8
//! +--------+-----------------+------------------+    +--------+------------+------------+---------
//! |op5 key3| own session ID  | wrap, then body  | V2 |op5 key3| peer ID    | packet ID  | tag ...   AEAD
//! +--------+-----------------+------------------+    +--------+------------+------------+---------
//! wrap  plain      nothing                        V1 |op5 key3| packet ID (4) | tag ...
//!       tls-auth   HMAC (h), packet ID (4), time (4)
//!       tls-crypt  packet ID (4), time (4), tag (32); the body is encrypted
//! body  n (1), n acknowledged message IDs (4 each), peer's session ID (8, only if n > 0),
//!       message ID (4, not in P_ACK_V1), TLS bytes
//! ```

/// The upper five bits of a packet's first byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Opcode(pub u8);

impl Opcode {
    /// P_CONTROL_HARD_RESET_CLIENT_V1, obsolete.
    pub const CLIENT_RESET_V1: Self = Self(1);
    /// P_CONTROL_HARD_RESET_SERVER_V1, obsolete.
    pub const SERVER_RESET_V1: Self = Self(2);
    /// P_CONTROL_SOFT_RESET_V1: a renegotiation starts.
    pub const SOFT_RESET: Self = Self(3);
    /// P_CONTROL_V1: TLS bytes.
    pub const CONTROL: Self = Self(4);
    /// P_ACK_V1: acknowledgements only.
    pub const ACK: Self = Self(5);
    /// P_DATA_V1.
    pub const DATA_V1: Self = Self(6);
    /// P_CONTROL_HARD_RESET_CLIENT_V2: the usual first packet.
    pub const CLIENT_RESET: Self = Self(7);
    /// P_CONTROL_HARD_RESET_SERVER_V2: the answer to it.
    pub const SERVER_RESET: Self = Self(8);
    /// P_DATA_V2.
    pub const DATA_V2: Self = Self(9);
    /// P_CONTROL_HARD_RESET_CLIENT_V3: the first packet with tls-crypt-v2.
    pub const CLIENT_RESET_V3: Self = Self(10);
    /// P_CONTROL_WKC_V1: control packet with the wrapped client key appended.
    pub const CONTROL_WKC: Self = Self(11);

    /// The opcode and key ID of a first byte, if that pair can occur: hard resets and WKC only with key 0, a soft reset
    /// never with it (key IDs of renegotiations run from 1 to 7 and wrap to 1).
    #[inline]
    pub fn of(byte: u8) -> Option<(Self, u8)> {
        let (opcode, key) = (Self(byte >> 3), byte & 7);
        let legal = match opcode.0 {
            1 | 2 | 7 | 8 | 10 | 11 => key == 0,
            3 => key != 0,
            4..=6 | 9 => true,
            _ => false,
        };
        legal.then_some((opcode, key))
    }

    /// Whether packets of this opcode belong to the control channel.
    #[inline]
    pub fn is_control(self) -> bool {
        matches!(self.0, 1..=5 | 7 | 8 | 10 | 11)
    }

    /// Whether packets of this opcode belong to the data channel.
    #[inline]
    pub fn is_data(self) -> bool {
        matches!(self, Self::DATA_V1 | Self::DATA_V2)
    }

    /// A client's hard reset of any version.
    pub fn is_client_reset(self) -> bool {
        matches!(self, Self::CLIENT_RESET_V1 | Self::CLIENT_RESET | Self::CLIENT_RESET_V3)
    }

    /// A server's hard reset of any version.
    pub fn is_server_reset(self) -> bool {
        matches!(self, Self::SERVER_RESET_V1 | Self::SERVER_RESET)
    }
}

/// The digest of tls-auth, known by its length on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Digest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// All of them, shortest first.
    pub const ALL: [Self; 6] = [Self::Md5, Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Bytes of the HMAC.
    pub fn size(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// How the control channel is protected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wrap {
    /// Not at all.
    Plain,
    /// An HMAC in front; the body is readable.
    TlsAuth(Digest),
    /// Encrypted, also what tls-crypt-v2 and renegotiations of 2.6 and later use.
    TlsCrypt,
}

impl Wrap {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::TlsAuth(Digest::Md5),
        Self::TlsAuth(Digest::Sha1),
        Self::TlsAuth(Digest::Sha224),
        Self::TlsAuth(Digest::Sha256),
        Self::TlsAuth(Digest::Sha384),
        Self::TlsAuth(Digest::Sha512),
        Self::TlsCrypt,
    ];

    /// OpenVPN's option and, where there is one, the digest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::TlsAuth(Digest::Md5) => "tls-auth-md5",
            Self::TlsAuth(Digest::Sha1) => "tls-auth-sha1",
            Self::TlsAuth(Digest::Sha224) => "tls-auth-sha224",
            Self::TlsAuth(Digest::Sha256) => "tls-auth-sha256",
            Self::TlsAuth(Digest::Sha384) => "tls-auth-sha384",
            Self::TlsAuth(Digest::Sha512) => "tls-auth-sha512",
            Self::TlsCrypt => "tls-crypt",
        }
    }

    /// Bytes between the session ID and the body.
    pub fn overhead(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::TlsAuth(digest) => digest.size() + 8,
            Self::TlsCrypt => 40,
        }
    }

    /// Offset of the body: the count of acknowledgements.
    pub fn body(self) -> usize {
        9 + self.overhead()
    }

    /// Offset of packet ID and time; none when not protected.
    pub fn replay(self) -> Option<usize> {
        match self {
            Self::Plain => None,
            Self::TlsAuth(digest) => Some(9 + digest.size()),
            Self::TlsCrypt => Some(9),
        }
    }

    /// Whether the body can be read.
    pub fn is_readable(self) -> bool {
        self != Self::TlsCrypt
    }

    /// Length of a hard reset that acknowledges `acks` messages, without an appended client key.
    pub fn reset_len(self, acks: usize) -> usize {
        self.body() + 1 + acked_len(acks) + 4
    }
}

fn acked_len(acks: usize) -> usize {
    if acks == 0 { 0 } else { 4 * acks + 8 }
}

/// A session ID: eight random bytes, constant for a side and session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionId(pub [u8; 8]);

/// Packet ID and time of a protected control packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replay {
    /// Counts every transmission, from 1 (from 0x0f000001 at a tls-crypt-v2 client of 2.6 and later).
    pub packet_id: u32,
    /// Unix time, seconds, taken once by the sender: constant for the session.
    pub time: u32,
}

/// A control packet of which at least the session ID is visible.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    opcode: Opcode,
    key: u8,
    session: SessionId,
    len: usize,
    bytes: &'a [u8],
}

impl<'a> Control<'a> {
    /// Reads a control packet of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (opcode, key) = Opcode::of(first).filter(|(opcode, _)| opcode.is_control())?;
        let session = SessionId(*rest.first_chunk()?);
        Some(Self { opcode, key, session, len, bytes })
    }

    /// Opcode.
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Key ID.
    pub fn key(&self) -> u8 {
        self.key
    }

    /// The sender's session ID.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// True length in bytes.
    pub fn wire_len(&self) -> usize {
        self.len
    }

    fn u32_at(&self, offset: usize) -> Option<u32> {
        self.bytes.get(offset..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
    }

    /// Packet ID and time under `wrap`, if visible.
    pub fn replay(&self, wrap: Wrap) -> Option<Replay> {
        let at = wrap.replay()?;
        Some(Replay { packet_id: self.u32_at(at)?, time: self.u32_at(at + 4)? })
    }

    /// The body under `wrap`, if it is readable and its count of acknowledgements is visible and allowed (8 in P_ACK_V1,
    /// where there must be one; 4 elsewhere, 8 in older releases).
    pub fn body(&self, wrap: Wrap) -> Option<Body<'a>> {
        if !wrap.is_readable() {
            return None;
        }
        let at = wrap.body();
        let count = usize::from(*self.bytes.get(at)?);
        let ack_only = self.opcode == Opcode::ACK;
        let end = at + 1 + acked_len(count);
        let fits = if ack_only { count >= 1 && self.len == end } else { self.len >= end + 4 };
        (count <= 8 && fits).then(|| Body { bytes: self.bytes.get(at + 1..).unwrap_or_default(), count, ack_only })
    }
}

/// A readable body; what the snaplen cut off is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    bytes: &'a [u8],
    count: usize,
    ack_only: bool,
}

impl<'a> Body<'a> {
    /// How many messages are acknowledged.
    pub fn acks(&self) -> usize {
        self.count
    }

    /// The acknowledged message IDs that are visible.
    pub fn acked(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.bytes.chunks_exact(4).take(self.count).filter_map(|c| c.first_chunk().map(|b| u32::from_be_bytes(*b)))
    }

    /// The peer's session ID.
    pub fn peer(&self) -> Option<SessionId> {
        if self.count == 0 {
            return None;
        }
        self.bytes.get(4 * self.count..)?.first_chunk().copied().map(SessionId)
    }

    /// The message's own ID.
    pub fn message_id(&self) -> Option<u32> {
        if self.ack_only {
            return None;
        }
        self.bytes.get(acked_len(self.count)..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
    }

    /// The TLS bytes, as far as visible.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(acked_len(self.count) + 4..).unwrap_or_default()
    }
}

/// The plaintext of a keep-alive ping (`ping.c`), readable only without encryption.
pub const PING: [u8; 16] =
    [0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb, 0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48];

/// The start of an options consistency message (`occ.c`), readable only without encryption.
pub const OCC: [u8; 16] =
    [0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81, 0x2d, 0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c];

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_RESET: [u8; 26] =
        [0x40, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 17, 18, 0, 0, 0, 0];

    #[test]
    fn a_server_reset_names_both_sessions() {
        let control = Control::new(&SERVER_RESET, 26).unwrap();
        assert_eq!((control.opcode(), control.key()), (Opcode::SERVER_RESET, 0));
        assert_eq!(control.session(), SessionId([1, 2, 3, 4, 5, 6, 7, 8]));
        let body = control.body(Wrap::Plain).unwrap();
        assert_eq!(body.peer(), Some(SessionId([11, 12, 13, 14, 15, 16, 17, 18])));
        assert_eq!((body.acked().collect::<Vec<_>>(), body.message_id()), (vec![0], Some(0)));
        assert_eq!(Wrap::Plain.reset_len(1), 26);
    }

    #[test]
    fn what_the_snaplen_cut_is_not_invented() {
        let control = Control::new(&SERVER_RESET[..22], 26).unwrap();
        let body = control.body(Wrap::Plain).unwrap();
        assert!(body.peer().is_some());
        assert_eq!(body.message_id(), None);
        assert!(Control::new(&SERVER_RESET[..8], 26).is_none());
    }

    #[test]
    fn reset_lengths_are_those_of_real_peers() {
        let lengths = Wrap::ALL.map(|w| (w.reset_len(0), w.reset_len(1)));
        assert_eq!(lengths, [(14, 26), (38, 50), (42, 54), (50, 62), (54, 66), (70, 82), (86, 98), (54, 66)]);
    }

    #[test]
    fn impossible_first_bytes() {
        assert_eq!(Opcode::of(0x39), None, "a hard reset with key 1");
        assert_eq!(Opcode::of(0x18), None, "a soft reset with key 0");
        assert_eq!(Opcode::of(0x16), None, "DTLS handshake");
        assert_eq!(Opcode::of(0x49), Some((Opcode::DATA_V2, 1)));
    }
}
