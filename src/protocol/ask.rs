//! Whom to ask: the cheap first tests that keep most of [`ALL`] from being asked about a payload.

use super::evidence::goes_along;
use super::{ALL, Assessment, Protocol, ProtocolSet};
use crate::flow::{Dir, HeadBuf};
use crate::packet::{Time, Transport};
use std::sync::{LazyLock, OnceLock};

/// How many of a datagram's first bytes are tested.
pub const TESTED: usize = 8;

/// Per offset and byte, who can make something of a datagram that has this byte there.
static BY_BYTE: LazyLock<Vec<[ProtocolSet; 256]>> = LazyLock::new(|| {
    let set = |at: usize, byte: u8| -> ProtocolSet {
        ALL.iter().enumerate().filter(|(_, p)| p.may_have(at, byte)).map(|(n, _)| n).collect()
    };
    (0..TESTED).map(|at| std::array::from_fn(|byte| set(at, byte as u8))).collect()
});

/// Per transport, who excludes even a flow of which nothing was seen: it has nothing to do with the transport.
static STRANGERS: LazyLock<[ProtocolSet; 2]> = LazyLock::new(|| {
    [Transport::Tcp, Transport::Udp].map(|transport| {
        let empty = HeadBuf::new(transport);
        let excludes =
            |n: &usize| ALL.get(*n).is_some_and(|p| matches!(p.assess(&empty.view(None, false)), Assessment::Excluded));
        (0..ALL.len()).filter(excludes).collect()
    })
});

/// Who is asked at the end of a flow although no payload came since the last time.
static HEED_END: LazyLock<ProtocolSet> =
    LazyLock::new(|| ALL.iter().enumerate().filter(|(_, p)| p.heeds_end()).map(|(n, _)| n).collect());

/// Whose exclusion counts of every flow without a name, since another flow may have announced it.
static EXPECTED: LazyLock<ProtocolSet> =
    LazyLock::new(|| super::announce::EXPECTED.iter().filter_map(|name| super::index(name)).collect());

/// Who is asked before the others, since most flows are theirs: once one of them is certain and can learn nothing more,
/// nobody else is asked.
const COMMON: &[&str] = &["dns", "http", "tls", "quic", "ssh", "smb", "ntp", "smtp", "ftp", "mqtt"];

static IS_COMMON: LazyLock<ProtocolSet> =
    LazyLock::new(|| COMMON.iter().filter_map(|name| super::index(name)).collect());

/// Who is asked before the others.
pub fn common() -> ProtocolSet {
    *IS_COMMON
}

/// Whose exclusion counts of every flow without a name.
pub fn expected() -> ProtocolSet {
    *EXPECTED
}

/// Who can make something of a datagram that begins like this one.
pub fn may_read(datagram: &[u8]) -> ProtocolSet {
    let everybody = ProtocolSet::EVERYBODY;
    BY_BYTE
        .iter()
        .zip(datagram)
        .filter_map(|(sets, byte)| sets.get(usize::from(*byte)))
        .fold(everybody, |a, b| a.both(b))
}

/// Per recogniser, who may go along with it in one flow.
static BESIDE: LazyLock<Vec<ProtocolSet>> = LazyLock::new(|| {
    let along = |a: &str, b: &str| goes_along(a, b) || goes_along(b, a);
    let beside = |p: &&dyn Protocol| -> ProtocolSet {
        ALL.iter().enumerate().filter(|(_, other)| along(p.name(), other.name())).map(|(n, _)| n).collect()
    };
    ALL.iter().map(beside).collect()
});

/// Who may go along with the recogniser at this place in [`ALL`].
pub fn beside(place: usize) -> ProtocolSet {
    BESIDE.get(place).copied().unwrap_or_default()
}

/// What the first bytes of one side of a connection alone tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opened {
    /// Who excludes a connection in which this side begins so.
    pub excluded: ProtocolSet,
    /// Who waits for the other side, if it has said nothing yet.
    pub waiting: ProtocolSet,
}

/// Per direction and first byte, and per direction and first two bytes: what they tell, found out when it is first wanted.
type Openings = Vec<OnceLock<Box<Opened>>>;
static BY_FIRST: LazyLock<Openings> = LazyLock::new(|| std::iter::repeat_with(OnceLock::new).take(2 << 8).collect());
static BY_TWO: LazyLock<Openings> = LazyLock::new(|| std::iter::repeat_with(OnceLock::new).take(2 << 16).collect());

/// What it tells that `dir` opened a connection, seen from its SYN, with `bytes`; at least one.
///
/// Whoever excludes a connection on its first bytes excludes it whatever follows, so every recogniser is asked about each
/// pair of bytes only once.
pub fn opened(dir: Dir, bytes: &[u8]) -> Opened {
    match bytes {
        [] => Opened::default(),
        [first] => by_first(dir, *first),
        [first, second, ..] => {
            let place = (*dir.of(&[0, 1 << 16])) | usize::from(*first) << 8 | usize::from(*second);
            let ask = || Box::new(probe(dir, &[*first, *second], by_first(dir, *first)));
            BY_TWO.get(place).map_or_else(Opened::default, |known| **known.get_or_init(ask))
        }
    }
}

fn by_first(dir: Dir, byte: u8) -> Opened {
    let place = (*dir.of(&[0, 1 << 8])) | usize::from(byte);
    let ask = || Box::new(probe(dir, &[byte], Opened { excluded: strangers(Transport::Tcp), ..Opened::default() }));
    BY_FIRST.get(place).map_or_else(Opened::default, |known| **known.get_or_init(ask))
}

/// Asks whom `known` leaves.
fn probe(dir: Dir, bytes: &[u8], known: Opened) -> Opened {
    let mut head = HeadBuf::new(Transport::Tcp);
    Dir::BOTH.iter().for_each(|&dir| head.stream_mut(dir).open(0));
    head.stream_mut(dir).push(1, 1, Time(0), bytes.len(), bytes);
    let mut opened = known;
    for (n, protocol) in ALL.iter().enumerate() {
        if known.excluded.contains(n) || known.waiting.contains(n) {
            continue;
        }
        match protocol.assess(&head.view(None, false)) {
            Assessment::Excluded => opened.excluded.insert(n),
            Assessment::Until(side) if side != dir => opened.waiting.insert(n),
            _ => {}
        }
    }
    opened
}

/// Who has nothing to do with a transport.
pub fn strangers(transport: Transport) -> ProtocolSet {
    let [tcp, udp] = *STRANGERS;
    match transport {
        Transport::Tcp => tcp,
        Transport::Udp => udp,
    }
}

/// Who is asked at the end of a flow although no payload came since the last time.
pub fn heed_end() -> ProtocolSet {
    *HEED_END
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dir;
    use crate::protocol::{index, replay};

    #[test]
    fn protocols_of_one_transport_are_strangers_to_the_other() {
        let is_stranger = |name, transport| strangers(transport).contains(index(name).unwrap());
        assert!(is_stranger("http", Transport::Udp) && !is_stranger("http", Transport::Tcp));
        assert!(is_stranger("quic", Transport::Tcp) && !is_stranger("quic", Transport::Udp));
        assert!(!is_stranger("dns", Transport::Tcp) && !is_stranger("dns", Transport::Udp));
    }

    #[test]
    fn the_first_bytes_tell_who_is_asked() {
        let asked = |name, datagram: &[u8]| may_read(datagram).contains(index(name).unwrap());
        assert!(asked("openvpn", b"\x38...") && asked("openvpn", b""));
        assert!(asked("dhcp", &[1, 1, 6, 0]) && !asked("dhcp", &[0x48, 1, 6, 0]));
    }

    #[test]
    fn who_is_excluded_by_the_first_bytes_finds_nothing_in_the_whole() {
        let (mut tested, mut wrong) = (0, Vec::new());
        for path in replay::captures() {
            for flow in replay::flows(&path) {
                let head = flow.buf.view(None, true);
                let streams = Dir::BOTH.map(|dir| head.stream(dir));
                if streams.iter().any(|s| !s.start_seen() || s.bytes().is_empty()) {
                    continue;
                }
                let both = Dir::BOTH.map(|dir| opened(dir, dir.of(&streams).bytes()).excluded);
                for n in both.iter().fold(ProtocolSet::EMPTY, |all, one| all.union(one)).iter() {
                    tested += 1;
                    if ALL.get(n).is_some_and(|p| replay::finding(*p, &flow).is_some()) {
                        wrong.push((ALL[n].name(), path.clone()));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "excluded by two bytes, and found: {wrong:#?}");
        assert!(tested > 1000, "only {tested}");
    }

    #[test]
    fn who_is_not_asked_would_find_nothing() {
        let mut tested = 0;
        for path in replay::captures() {
            for flow in replay::flows(&path) {
                let head = flow.buf.view(None, true);
                let asked = head.datagrams().fold(ProtocolSet::EMPTY, |all, d| all.union(&may_read(d.bytes)));
                if head.count(Dir::Originator) == 0 {
                    continue;
                }
                for n in ProtocolSet::EVERYBODY.without(&asked).iter().take_while(|n| *n < ALL.len()) {
                    tested += 1;
                    let found = replay::finding(ALL[n], &flow);
                    assert!(found.is_none(), "{} in {} of {path:?}: {found:?}", ALL[n].name(), flow.name);
                }
            }
        }
        assert!(tested > 1000);
    }
}
