//! The ports in RTSP's Transport header, RFC 2326 section 12.39.
//!
//! ```text
//! Transport: RTP/AVP;unicast;client_port=4588-4589;server_port=6256-6257
//! ```

/// The ports of parameter `name` in the Transport headers of a message: for RTP, and for RTCP if it is named.
pub fn ports(message: &[u8], name: &str) -> Vec<(u16, Option<u16>)> {
    let lines = message.split(|&b| b == b'\n').filter_map(|l| std::str::from_utf8(l).ok());
    let transports = lines.filter_map(|line| {
        let (header, value) = line.split_once(':')?;
        header.eq_ignore_ascii_case("transport").then(|| value.trim())
    });
    transports.flat_map(|value| value.split([';', ','])).filter_map(|parameter| pair(parameter, name)).collect()
}

/// "client_port=4588-4589", "client_port=4588".
fn pair(parameter: &str, name: &str) -> Option<(u16, Option<u16>)> {
    let value = parameter.trim().strip_prefix(name)?.strip_prefix('=')?;
    let (rtp, rtcp) = match value.split_once('-') {
        Some((rtp, rtcp)) => (rtp.parse().ok()?, Some(rtcp.parse().ok()?)),
        None => (value.parse().ok()?, None),
    };
    (rtp > 0).then_some((rtp, rtcp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides() {
        let setup =
            b"RTSP/1.0 200 OK\r\nCSeq: 3\r\ntransport: RTP/AVP;unicast;client_port=4588-4589;server_port=6256\r\n\r\n";
        assert_eq!(ports(setup, "client_port"), [(4588, Some(4589))]);
        assert_eq!(ports(setup, "server_port"), [(6256, None)]);
        assert!(
            ports(b"SETUP rtsp://a RTSP/1.0\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n", "client_port").is_empty()
        );
    }
}
