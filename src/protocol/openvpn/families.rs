//! The kinds of observation that speak for OpenVPN, and the most that each can prove.
//!
//! For an observation whose chance of occurring in random bytes is r, and which a share e of real other traffic has by
//! its own design, the likelihood ratio is 1/(r + e). r is tiny almost everywhere here, so e is what counts and the caps
//! are estimates of 1/e, from above by the number of negative flows that were looked at (no hit in n flows bounds e by
//! 3/n) and from below by which protocols could have the shape at all. Each family speaks of a structure of its own.
//!
//! `cargo test --test openvpn -- --nocapture` prints of how many flows each family speaks, OpenVPN's and others; the table
//! is in docs/recognition.md. 7,286 others without a hit allow 11 bits. Caps above that (12 to 30) rest on r and on
//! the fact that the structure is OpenVPN's own: random values that must recur, or fields that must have one value, at
//! places that its layout sets. None of them makes a flow certain by itself but OpenVPN's magic string.

use super::super::{Bits, Family};

const fn family(id: &'static str, bits: i32) -> Family {
    Family { id, cap: Bits::whole(bits) }
}

/// A hard reset of a client, exact in length and in every fixed byte: r is 2^-48 (plain: opcode and five zero bytes) to
/// 2^-95 (tls-auth: packet ID 1 and five zero bytes, too), times the length. None in 7,286 negative flows bounds e by
/// 2^-11 only; the other bits are for want of any known protocol with 0x38, eight random bytes and zeros in 14 bytes. The
/// client key that tls-crypt-v2 sends once more is 12 bits: opcode, packet ID and its length at the end are 2^-50.
pub(super) static CLIENT_RESET: Family = family("openvpn.client-reset", 16);
/// A hard reset of a server: r is 2^-80 in clear, 2^-51 with tls-crypt. e as for the client's.
pub(super) static SERVER_RESET: Family = family("openvpn.server-reset", 16);
/// Resets whose fixed bytes the snaplen hid: opcode and exact length only. r is 2^-18 a side; e: request and answer of
/// constant length are common, the opcodes of both sides then are 2^-16.
pub(super) static RESET_LENGTHS: Family = family("openvpn.reset-lengths", 10);
/// Eight bytes of the one side repeated by the other at the place of the layout. r is 2^-64; e: a protocol that echoes
/// a random eight-byte value at this offset under these opcodes. QUIC, STUN, IKE echo at other places.
pub(super) static ECHO: Family = family("openvpn.session-id-echo", 20);
/// The session ID has no zeros and is no text. A structured header of another protocol in its place passes seldom
/// (about one in 16 of those in the negative flows); three zero bytes in random ones are 2^-18, which speaks against.
pub(super) static SESSION_RANDOM: Family = family("openvpn.session-id-random", 4);
/// The same eight bytes behind changing legal opcodes. 24 of 3,613 negative flows pass: connection IDs are common.
pub(super) static SESSION: Family = family("openvpn.session-id-constant", 7);
/// The sender's clock at the place of the time: r is 2^-14.6 for one day either way. e: time stamps are common in
/// headers, but at this place of these lengths they are not; one side 8 bits, both sides 12.
pub(super) static NET_TIME: Family = family("openvpn.net-time", 12);
/// Packet IDs that count while the time beside them stays: r is 2^-50 a pair.
pub(super) static REPLAY: Family = family("openvpn.control-packet-id", 12);
/// Message IDs and acknowledgements of the reliability layer that fit each other: r is 2^-24 and less a packet.
pub(super) static SEQUENCE: Family = family("openvpn.message-ids", 12);
/// A TLS hello at the computed offset: r is 2^-40; e: another protocol that wraps TLS behind a header of this length.
pub(super) static HELLO: Family = family("openvpn.tls-hello", 14);
/// The start of a renegotiation inside a session. r is 2^-13 with its exact length.
pub(super) static SOFT_RESET: Family = family("openvpn.soft-reset", 8);
/// Over TCP, lengths that lead from one legal first byte to the next. r is 2^-2.5 a link for any protocol with a 16-bit
/// length in front, which is why it is capped low.
pub(super) static FRAMING: Family = family("openvpn.tcp-framing", 6);
/// A constant data header: first byte 48 to 4f and a peer ID below 65,536 or unset is 2^-13 of constant prefixes, first
/// byte 30 to 37 or a random peer ID 2^-5. e: fixed magic numbers cluster on text and on zeros, not here. A random peer ID
/// that both sides use (point-to-point mode) is 4 bits: nothing but the first byte tells it from any magic number.
pub(super) static DATA_HEADER: Family = family("openvpn.data-header", 8);
/// Point-to-point mode without a handshake, although both sides' packet IDs start at 1 here: OpenVPN sends the first data
/// packets right behind the handshake, in the same flow. A capture that starts at a time of its own starts between the two
/// with 2^-8 (an hour between two keys, a ping every ten seconds); other protocols' flows mostly are seen from their start.
pub(super) static DATA_FRESH: Family = family("openvpn.data-without-handshake", 0);
/// Takes away what a shape without any number of OpenVPN's own has above "likely": a random word from both sides, a counter
/// behind it, ciphertext, no length below a ping's, and over TCP a length in front. One in 32 protocols that have
/// all this, which 2 of 1,059 directions of other traffic had, passes by its first byte: 2^-9 - 5 = 2^-14 of all traffic, or
/// 2^4 against the prior.
pub(super) static DATA_SHAPE: Family = family("openvpn.data-shape-only", 0);
/// A packet ID that counts by one. ESP, WireGuard and many games have such a counter: 2 of 1,059 directions of other
/// traffic had it behind four constant bytes.
pub(super) static DATA_COUNTER: Family = family("openvpn.data-packet-id", 8);
/// The same header from both sides (ESP's and WireGuard's differ: two random numbers, 2^-32), each with a counter of its
/// own. e: protocols with a fixed magic number.
pub(super) static DATA_BOTH: Family = family("openvpn.data-both-sides", 4);
/// What follows the header is as random as ciphertext: most plain protocols fail.
pub(super) static DATA_RANDOM: Family = family("openvpn.data-random", 3);
/// Lengths that are not multiples of four, which ESP's always are; only where the header speaks for OpenVPN already. Against it:
/// all are, where no more than the first byte speaks for OpenVPN; or there is no counter, and they are no blocks either.
pub(super) static DATA_LENGTHS: Family = family("openvpn.data-lengths", 3);
/// Pings of the constant length of AEAD, 40 bytes (41 in some with compression framing), among longer packets.
pub(super) static DATA_PING: Family = family("openvpn.data-ping", 3);
/// CBC: different lengths that are all one HMAC, one IV and whole cipher blocks: 2^-4 for each different length of a side
/// after its first, 2^-3 with 64-bit blocks, and once more if the other side has others of the same class. e: any other
/// protocol of whole blocks.
pub(super) static DATA_BLOCKS: Family = family("openvpn.data-blocks", 8);
/// CBC: the IV of a packet is the last cipher block of the one before, as SoftEther does, and another one than before: r
/// is 2^-128; e: another protocol that chains across packets with an HMAC of that length in front.
pub(super) static DATA_CHAIN: Family = family("openvpn.data-iv-chain", 12);
/// The 2.7 epoch format: epoch 1 and a counter of 48 bits behind the header: r is 2^-32 beside the counter's steps.
pub(super) static DATA_EPOCH: Family = family("openvpn.data-epoch", 6);
/// OpenVPN's own magic string of 16 bytes in an unencrypted ping or options message: nothing else has it.
pub(super) static MAGIC: Family = family("openvpn.magic", 30);
/// First packets of both sides whose lengths are those of the resets of one wrap and whose first bytes differ by 38 XOR
/// 40: r is 2^-8 times two lengths; e: request and answer of constant length are common, so the lengths are worth little.
pub(super) static SCRAMBLE_RESETS: Family = family("openvpn.scramble-resets", 8);
/// The first bytes that follow, under the mask that the resets gave: r is 2^-4 a packet; e: of 445 long flows of other
/// traffic one had such a set of first bytes.
pub(super) static SCRAMBLE_OPCODES: Family = family("openvpn.scramble-opcodes", 8);
/// Zero fields, packet IDs and counts of acknowledgements of the two resets, once the mask has cancelled out: r is 2^-32
/// (obfuscate) to 2^-80; e: fields of other protocols that are constant in both directions.
pub(super) static SCRAMBLE_FIELDS: Family = family("openvpn.scramble-fields", 14);
/// Session IDs once the mask has cancelled out: r is 2^-64 a pair; e: connection IDs, as for constant ones in clear, but
/// under the other opcodes and at places that depend on the packet's length.
pub(super) static SCRAMBLE_SESSION: Family = family("openvpn.scramble-session-id", 12);
/// A counter under an XOR mask: r is 2^-20 and less over six packets; nothing else is known to mask its counter with a
/// constant, unless it scrambles as a whole.
pub(super) static SCRAMBLE_COUNTER: Family = family("openvpn.scramble-counter", 12);
/// Static key: lengths of one residue class: r is 2^-4 for each different one after the first; e: none of the negative
/// flows but tinc's, which bounds it by 2^-11, and all that has whole blocks behind an odd trailer, which is why twelve
/// lengths give 6 bits only. Without the period of the pings the sum stays short of "likely".
pub(super) static STATIC_LENGTHS: Family = family("openvpn.static-lengths", 6);
/// Static key: random bytes, nothing constant. Every fully encrypted protocol has that.
pub(super) static STATIC_RANDOM: Family = family("openvpn.static-random", 2);
/// Static key: the shortest and frequent packet is as long as a ping: r is 2^-4 to 2^-5 among lengths of the class.
pub(super) static STATIC_PING: Family = family("openvpn.static-ping", 4);
/// Static key: packets of that length come from both sides at one interval of a second or more while nothing else is
/// sent: r is 2^-6 for three gaps that agree within a fifth; e: keep-alives of another tunnel without a header that have
/// that very length. None is known; two bits for want of negative flows.
pub(super) static STATIC_PERIOD: Family = family("openvpn.static-ping-period", 2);
/// Static key: both sides send so.
pub(super) static STATIC_BOTH: Family = family("openvpn.static-both-sides", 1);
/// Without encryption: an IP packet fills the rest exactly; r is 2^-24, e: any tunnel in clear.
pub(super) static STATIC_INNER: Family = family("openvpn.inner-packet", 6);
/// A share of the packets that OpenVPN could not have sent.
pub(super) static FOREIGN: Family = family("openvpn.foreign-packets", 0);
