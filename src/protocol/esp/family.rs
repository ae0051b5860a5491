//! What each kind of observation can prove, and why.
//!
//! The weights of what is only a shape sum to 19, one bit less than "confident" takes: 12 + 3 + 3 + 1.

use crate::protocol::{Bits, Family};

/// Packets of one direction share a word and count up behind it. By chance 2^-58 a packet, so the bound is how many other
/// protocols look so. Of the negatives at hand two directions in a thousand have three such packets (one game, which uses
/// the same word both ways), none in four thousand has eight with a body of noise.
pub(super) static SEQUENCE: Family = Family { id: "esp.sequence", cap: Bits::whole(12) };
/// The directions' SPIs differ, as they must: the receiver chooses. Magic numbers, tunnel and peer IDs are mostly the same
/// both ways. Against it: both are the same.
pub(super) static DIRECTIONS: Family = Family { id: "esp.directions", cap: Bits::whole(3) };
/// The lengths fit a cipher's blocks: 2 bits for multiples of four; many protocols pad, so hardly more for repeating it.
/// Against it: multiples of four that fit no block cipher, while no IV is to be seen. Only implicit IVs (RFC 8750) and
/// random ones look so, less than one in a hundred.
pub(super) static LENGTHS: Family = Family { id: "esp.lengths", cap: Bits::whole(3) };
/// The first sequence number is 1 (RFC 4303 section 3.3.2). Most counters start so, hence a bit.
pub(super) static START: Family = Family { id: "esp.start", cap: Bits::whole(1) };
/// An explicit IV follows the sequence number, under a constant with a random upper half: 64 bits a pair by chance. No
/// other protocol is known to have it. Two counters that run side by side from random starts have it for two packets in
/// one case of four, hence less for two.
pub(super) static IV: Family = Family { id: "esp.iv", cap: Bits::whole(20) };
/// What [`IV`] gives for two packets.
pub(super) const IV_TWICE: Bits = Bits::whole(16);
/// What [`IV`] gives when the IV is a counter close to the sequence number: a protocol that counts twice is nothing
/// strange, though none of 2,400 directions of other traffic does it there (at most 2^-9.6).
pub(super) const IV_NEAR: Bits = Bits::whole(9);
/// What [`IV`] gives when the IV is the sequence number itself, or one less as on FreeBSD, and all that follows is noise:
/// one bit more for the noise (76 of 164 directions with one counter have it), four for two of the 33 starts that are
/// near. Two packets of one direction are confident then. Acknowledgements in lockstep would look so too.
pub(super) const IV_COUNTER: Bits = Bits::whole(14);
/// What [`SEQUENCE`] gives at most when the IV counts too: the same counting, seen twice. So all of it together is never
/// certain: 14 + 8 + 3 + 2 + 1.
pub(super) const COUNTED_TWICE: Bits = Bits::whole(8);
/// An inner IP packet is visible: version, checksum, and a length that leaves room for exactly an ESP trailer and an ICV,
/// about 34 bits for one packet. Other tunnels carry IP too, but have no trailer behind it.
pub(super) static INNER: Family = Family { id: "esp.inner", cap: Bits::whole(20) };
/// What [`INNER`] gives without the trailer.
pub(super) const INNER_HEADER: Bits = Bits::whole(14);
/// IKE is in the same flow: ESP is then what else there is (RFC 3948 section 2).
pub(super) static IKE: Family = Family { id: "esp.ike", cap: Bits::whole(20) };
/// What [`IKE`] gives when the snaplen cut the headers: a marker of 32 zero bits and a 64-bit echo, but no IKE field.
pub(super) const IKE_CUT: Bits = Bits::whole(14);
/// Datagrams of one byte 0xFF (RFC 3948 section 2.3). One-byte datagrams are rare, yet other keepalives are as short.
pub(super) static KEEPALIVE: Family = Family { id: "esp.keepalive", cap: Bits::whole(4) };
/// Eight zero bytes in front of each packet (draft-ietf-ipsec-udp-encaps-00).
pub(super) static MARKER: Family = Family { id: "esp.non-ike-marker", cap: Bits::whole(4) };
/// A TCP stream that begins with "IKETCP": 48 bits, and registered for nothing else (RFC 9329 section 4).
pub(super) static PREFIX: Family = Family { id: "esp.tcp-prefix", cap: Bits::whole(24) };
/// A TCP stream is a chain of lengths that count themselves, each followed by ESP or marked IKE.
pub(super) static FRAMING: Family = Family { id: "esp.tcp-framing", cap: Bits::whole(10) };
/// Against it: a body with constant bytes or a favourite value is no ciphertext.
pub(super) static BODY: Family = Family { id: "esp.body", cap: Bits::ZERO };
/// Against it: an SPI as other protocols' first words are. Mostly zeros (small identifiers), or an OpenVPN P_DATA_V2
/// opcode with a peer ID, which is as common as ESP. Or a known magic number.
pub(super) static WORD: Family = Family { id: "esp.first-word", cap: Bits::ZERO };
/// Against it: datagrams that are neither ESP nor IKE nor a keepalive.
pub(super) static FOREIGN: Family = Family { id: "esp.foreign", cap: Bits::ZERO };
