//! IEEE 802.11, bare or after a radiotap, Prism or AVS header.

use super::link::{Network, llc, skip, take};
use super::rest::{Rest, be32};
use super::{Fate, Malformed, Other, Wlan};

/// An 802.11 frame. `padded`: the header is padded to a multiple of 4 bytes (Atheros).
///
/// ```text
/// control(2) duration(2) address(6)×3 sequence(2) [address(6)] [QoS(2) [HT control(4)]] LLC …
/// ```
pub(super) fn wlan(rest: Rest<'_>, padded: bool) -> Result<Network<'_>, Fate> {
    let (&[kind, flags], _) = take(rest)?;
    match kind & 0x0f {
        0x0 => return Err(Fate::Other(Other::Wlan(Wlan::Management))),
        0x4 => return Err(Fate::Other(Other::Wlan(Wlan::Control))),
        0x8 => {}
        0xc => return Err(Fate::Other(Other::Wlan(Wlan::Data))), // extension
        _ => return Err(Fate::Malformed(Malformed::LinkHeader)),
    }
    let subtype = kind >> 4;
    if subtype & 0x4 != 0 {
        return Err(Fate::Other(Other::Wlan(Wlan::Data))); // no data
    }
    if flags & 0x40 != 0 {
        return Err(Fate::Other(Other::Wlan(Wlan::Encrypted)));
    }
    let (header, mut payload) = take::<24>(rest)?;
    let fragmented = header[22] & 0x0f != 0 || flags & 0x04 != 0;
    let mut length = 24;
    if flags & 0x03 == 0x03 {
        payload = skip(payload, 6)?; // between access points: a fourth address
        length += 6;
    }
    let mut aggregate = false;
    if subtype & 0x8 != 0 {
        let (&[qos, _], after) = take(payload)?;
        aggregate = qos & 0x80 != 0;
        let control = if flags & 0x80 != 0 { 4 } else { 0 };
        payload = skip(after, control)?;
        length += 2 + control;
    }
    if padded {
        payload = skip(payload, length.next_multiple_of(4) - length)?;
    }
    match (fragmented, aggregate) {
        (true, _) => Err(Fate::Other(Other::Wlan(Wlan::Data))),
        (false, true) => Ok(Network::Aggregate(payload)),
        (false, false) => llc(payload),
    }
}

/// The next subframe of an aggregate (802.11 section 9.3.2.2: addresses, length, LLC, padding to 4 bytes) and what
/// follows it.
pub(super) fn subframe(rest: Rest<'_>) -> Option<(Result<Network<'_>, Fate>, Option<Rest<'_>>)> {
    let (&[.., a, b], payload) = take::<14>(rest).ok()?;
    let length = u32::from(u16::from_be_bytes([a, b]));
    if length < 8 || length > payload.wire {
        return None;
    }
    Some((llc(payload.with_wire(length)), payload.after((length as usize + 14).next_multiple_of(4) - 14).ok()))
}

/// Radiotap: version, padding, length, words that say which fields are present (the upper bit: another word follows).
pub(super) fn radiotap(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (&[version, _, a, b, present @ ..], _) = take::<8>(rest)?;
    let length = usize::from(u16::from_le_bytes([a, b]));
    if version != 0 || length < 8 {
        return Err(Fate::Malformed(Malformed::LinkHeader));
    }
    let payload = skip(rest, length)?;
    let present = u32::from_le_bytes(present);
    let words = rest.data.get(4..length).unwrap_or_default().chunks_exact(4);
    let words = 1 + words.take_while(|word| word.last().is_some_and(|byte| byte & 0x80 != 0)).count();
    // The flags field follows the time stamp of 8 bytes, which is aligned to its size.
    let mut at = 4 + 4 * words;
    if present & 1 != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    let flags = if present & 2 != 0 { rest.data.get(at).copied().unwrap_or(0) } else { 0 };
    wlan(payload, flags & 0x20 != 0)
}

/// The Prism header, whose length stands in its second word, or AVS's, which goes by the same link type.
pub(super) fn prism(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, _) = take::<8>(rest)?;
    if be32(header, 0) & 0xffff_f000 == 0x8021_1000 {
        return avs(rest);
    }
    let length = be32(header, 4);
    let length = if length > 0xffff { length.swap_bytes() } else { length };
    wlan(skip(rest, length.max(8) as usize)?, false)
}

/// The AVS header: version, length.
pub(super) fn avs(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, _) = take::<8>(rest)?;
    wlan(skip(rest, be32(header, 4).max(8) as usize)?, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::ether_type::IPV4;

    const LLC: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];

    fn payload(network: Result<Network<'_>, Fate>) -> Vec<u8> {
        match network {
            Ok(Network::EtherType(IPV4, rest)) => rest.data.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_header_has_many_lengths() {
        for (kind, flags, length) in [(0x08, 0x01, 24), (0x08, 0x03, 30), (0x88, 0x02, 26), (0x88, 0x83, 36)] {
            let mut frame = vec![kind, flags];
            frame.resize(length, 0);
            frame.extend(LLC);
            frame.extend(b"payload");
            assert_eq!(payload(wlan(Rest::whole(&frame), false)), b"payload");
            let mut tapped = vec![0, 0, 17, 0, 3, 0, 0, 0];
            tapped.resize(17, 0);
            tapped.extend(&frame);
            assert_eq!(payload(radiotap(Rest::whole(&tapped))), b"payload");
            // The same with the header padded, as a flag says.
            tapped[16] = 0x20;
            let padding = length.next_multiple_of(4) - length;
            tapped.splice(17 + length..17 + length, std::iter::repeat_n(9, padding));
            assert_eq!(payload(radiotap(Rest::whole(&tapped))), b"payload");
        }
    }

    #[test]
    fn what_has_no_readable_data_is_counted_by_kind() {
        let fate = |kind, flags| wlan(Rest::whole(&[kind, flags, 0, 0]), false).err();
        assert_eq!(fate(0x80, 0), Some(Fate::Other(Other::Wlan(Wlan::Management))));
        assert_eq!(fate(0xd4, 0), Some(Fate::Other(Other::Wlan(Wlan::Control))));
        assert_eq!(fate(0x48, 0), Some(Fate::Other(Other::Wlan(Wlan::Data))));
        assert_eq!(fate(0x88, 0x41), Some(Fate::Other(Other::Wlan(Wlan::Encrypted))));
    }

    #[test]
    fn an_aggregate_holds_several_frames() {
        let mut bytes = Vec::new();
        for text in [&b"one"[..], b"three", b"four"] {
            bytes.resize(bytes.len().next_multiple_of(4) + 12, 0);
            bytes.extend((8 + text.len() as u16).to_be_bytes());
            bytes.extend(LLC);
            bytes.extend(text);
        }
        let mut found = Vec::new();
        let mut rest = Some(Rest::whole(&bytes));
        while let Some((network, next)) = rest.and_then(subframe) {
            found.push(payload(network));
            rest = next;
        }
        assert_eq!(found, [b"one".to_vec(), b"three".to_vec(), b"four".to_vec()]);
    }
}
