//! A conversation for captures that are made in memory. The test that takes it in has [`crate::rewrite`], too.
#![allow(dead_code, unreachable_pub, missing_docs)]

use crate::rewrite::{ethernet, ipv4, udp};

/// RFC 1035: a question for the address of example.com, and its answer.
pub const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
pub const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\
\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01";

/// A host, 10.0.0.n, and a port.
pub type End = (u8, u16);

/// A frame with a datagram. Packets with the same number would be the same packet seen again.
pub fn datagram(number: u16, [from, to]: [End; 2], payload: &[u8]) -> Vec<u8> {
    fragment(number, [from, to], 0, &udp(from.1, to.1, payload))
}

/// A frame with a part of a UDP datagram; `place` is IPv4's word of flags and offset.
pub fn fragment(number: u16, [from, to]: [End; 2], place: u16, part: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4([10, 0, 0, from.0], [10, 0, 0, to.0], number, place, 17, part))
}
