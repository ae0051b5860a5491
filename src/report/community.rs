//! Community ID, version 1: one name for a flow that other tools compute alike (Corelight's community-id-spec).
//!
//! SHA-1 over seed (0, 16 bits), source address, destination address, protocol, one zero byte, source port, destination
//! port, all in network order and with the smaller end first; base64 behind "1:".

use crate::packet::{Endpoint, Transport};
use data_encoding::BASE64;
use sha1::{Digest, Sha1};
use std::net::IpAddr;

/// The community ID of the flow between `a` and `b`, in either order.
pub fn community_id(transport: Transport, a: Endpoint, b: Endpoint) -> String {
    let ((low, low_port), (high, high_port)) = {
        let (a, b) = ((octets(a), a.port), (octets(b), b.port));
        if a <= b { (a, b) } else { (b, a) }
    };
    let protocol: u8 = match transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
    };
    let mut hash = Sha1::new();
    hash.update([0; 2]);
    hash.update(low);
    hash.update(high);
    hash.update([protocol, 0]);
    hash.update(low_port.to_be_bytes());
    hash.update(high_port.to_be_bytes());
    let mut text = "1:".to_owned();
    BASE64.encode_append(&hash.finalize(), &mut text);
    text
}

fn octets(end: Endpoint) -> Vec<u8> {
    match end.ip.to_std() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint { ip: ip.parse::<IpAddr>().unwrap().into(), port }
    }

    /// Expected values: computed by the specification's reference implementation for the packets of its test captures.
    #[test]
    fn agrees_with_the_specification_in_both_directions() {
        let cases = [
            (Transport::Tcp, ("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (Transport::Udp, ("192.168.1.52", 54585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        ];
        for (transport, a, b, expected) in cases {
            let (a, b) = (end(a.0, a.1), end(b.0, b.1));
            assert_eq!(community_id(transport, a, b), expected);
            assert_eq!(community_id(transport, b, a), expected);
        }
    }
}
