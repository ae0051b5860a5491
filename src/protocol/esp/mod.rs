//! ESP in UDP and in TCP.
//!
//! ESP has no magic number. What gives it away: each direction has one SPI (the receiver's choice, so the directions
//! differ) behind which a big-endian counter rises by one; all lengths are multiples of four, and of the cipher's block;
//! the rest is noise. That much is only a shape, and other tunnels may share it, so it is never more than "likely". What
//! proves more: an explicit IV that follows the sequence number (AEAD ciphers of Linux, strongSwan, FreeBSD), the inner
//! packet where nothing is encrypted, and IKE behind the Non-ESP Marker on the same flow.

mod family;
mod inner;
mod sa;
mod tcp;
mod udp;
mod weigh;

pub(super) use tcp::EspInTcp;
pub(super) use udp::EspInUdp;
pub(super) use udp::udp_is_hopeless;
