//! Whom to ask: the cheap first tests that keep most of [`ALL`] from being asked about a payload.

use super::evidence::COMPANIONS;
use super::{ALL, Assessment, ProtocolSet, index};
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

static EVERYBODY: LazyLock<ProtocolSet> = LazyLock::new(|| (0..ALL.len()).collect());

/// All of [`ALL`].
pub fn everybody() -> ProtocolSet {
    *EVERYBODY
}

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

/// Per length of a datagram, to whom it is not too short. Longer ones are for everybody.
static BY_LENGTH: LazyLock<[ProtocolSet; 64]> = LazyLock::new(|| {
    let long_enough = |len: usize| ALL.iter().enumerate().filter(move |(_, p)| p.shortest() <= len).map(|(n, _)| n);
    std::array::from_fn(|len| long_enough(len).collect())
});

/// Who can make something of a datagram of `len` bytes on the wire that begins like this one.
pub fn may_read(datagram: &[u8], len: usize) -> ProtocolSet {
    let long_enough = BY_LENGTH.get(len).copied().unwrap_or_else(everybody);
    BY_BYTE
        .iter()
        .zip(datagram)
        .fold(long_enough, |whom, (sets, byte)| sets.get(usize::from(*byte)).map_or(whom, |set| whom.both(set)))
}

/// To whom it is no news how a datagram begins: they can make something of any.
static OMNIVOROUS: LazyLock<ProtocolSet> =
    LazyLock::new(|| BY_BYTE.iter().flatten().fold(everybody(), |whom, set| whom.both(set)));

/// To whom it is no news how a datagram begins.
pub fn omnivorous() -> ProtocolSet {
    *OMNIVOROUS
}

/// Per recogniser, who may go along with it in one flow, itself included.
static BESIDE: LazyLock<Vec<ProtocolSet>> = LazyLock::new(|| {
    let mut beside: Vec<ProtocolSet> = (0..ALL.len()).map(|n| std::iter::once(n).collect()).collect();
    for (a, b) in COMPANIONS.iter().filter_map(|(a, b)| Some((index(a)?, index(b)?))) {
        beside.get_mut(a).into_iter().for_each(|set| set.insert(b));
        beside.get_mut(b).into_iter().for_each(|set| set.insert(a));
    }
    beside
});

/// Who may go along with the recogniser at this place in [`ALL`], itself included.
pub fn beside(place: usize) -> ProtocolSet {
    BESIDE.get(place).copied().unwrap_or_default()
}

/// What the first bytes of one side of a connection alone tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opened {
    /// Who excludes a connection in which this side begins so.
    pub excluded: ProtocolSet,
    /// Who makes nothing of it and waits for the other side, if that has said nothing yet.
    pub waiting: ProtocolSet,
}

/// What the first byte of a side tells, and what it tells with each second one, found out when it is first wanted.
struct Row {
    first: Opened,
    second: [OnceLock<Box<Opened>>; 256],
}

/// Per direction and first byte, of connections joined in the middle and then of those seen from their SYN.
static ROWS: [OnceLock<Box<Row>>; 4 << 8] = [const { OnceLock::new() }; 4 << 8];

/// What it tells that `dir` begins with `bytes` in a connection of which both SYNs were seen, or none.
///
/// Whoever excludes a connection on its first bytes excludes it whatever follows, so every recogniser is asked about each
/// pair of bytes only once.
pub fn opened(dir: Dir, seen: bool, bytes: &[u8]) -> Opened {
    let Some((first, rest)) = bytes.split_first() else { return Opened::default() };
    let place = usize::from(seen) << 9 | *dir.of(&[0, 1 << 8]) | usize::from(*first);
    let Some(row) = ROWS.get(place) else { return Opened::default() };
    let row = row.get_or_init(|| {
        let first = probe(dir, seen, &[*first], Opened::default());
        Box::new(Row { first, second: [const { OnceLock::new() }; 256] })
    });
    match rest.first().and_then(|second| Some((row.second.get(usize::from(*second))?, second))) {
        Some((known, second)) => **known.get_or_init(|| Box::new(probe(dir, seen, &[*first, *second], row.first))),
        None => row.first,
    }
}

/// Asks whom `known` leaves.
fn probe(dir: Dir, seen: bool, bytes: &[u8], known: Opened) -> Opened {
    let mut head = HeadBuf::new(Transport::Tcp);
    if seen {
        Dir::BOTH.iter().for_each(|&dir| head.stream_mut(dir).open(0));
    }
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
    use crate::flow::{Dir, Stream};
    use crate::protocol::replay;

    #[test]
    fn protocols_of_one_transport_are_strangers_to_the_other() {
        let is_stranger = |name, transport| strangers(transport).contains(index(name).unwrap());
        assert!(is_stranger("http", Transport::Udp) && !is_stranger("http", Transport::Tcp));
        assert!(is_stranger("quic", Transport::Tcp) && !is_stranger("quic", Transport::Udp));
        assert!(!is_stranger("dns", Transport::Tcp) && !is_stranger("dns", Transport::Udp));
    }

    #[test]
    fn the_first_bytes_tell_who_is_asked() {
        let asked = |name, datagram: &[u8]| may_read(datagram, 64).contains(index(name).unwrap());
        assert!(asked("openvpn", b"\x38...") && asked("openvpn", b""));
        assert!(asked("dhcp", &[1, 1, 6, 0]) && !asked("dhcp", &[0x48, 1, 6, 0]));
        let ike = index("ike").unwrap();
        assert!(may_read(b"\x01", 28).contains(ike) && !may_read(b"\x01", 27).contains(ike));
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
                let both = Dir::BOTH.map(|dir| opened(dir, true, dir.of(&streams).bytes()).excluded);
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

    /// Both sides, or one and nothing of the other, cut off before one of their first segments.
    fn joined_in_the_middle(streams: &[Stream<'_>; 2]) -> Vec<HeadBuf> {
        let starts = |s: &Stream<'_>| s.starts().take(4).chain([s.bytes().len()]).collect::<Vec<_>>();
        let [a, b] = streams.each_ref().map(starts);
        let places = a.iter().flat_map(|from| b.iter().map(move |to| [*from, *to]));
        places
            .map(|places| {
                let mut buf = HeadBuf::new(Transport::Tcp);
                for dir in Dir::BOTH {
                    let (place, stream) = (*dir.of(&places), dir.of(streams));
                    for (start, end) in stream.starts().zip(stream.starts().skip(1).chain([stream.bytes().len()])) {
                        let data = &stream.bytes()[start..end];
                        if start >= place {
                            buf.stream_mut(dir).push(start as u32, 1, Time(0), data.len(), data);
                        }
                    }
                }
                buf
            })
            .collect()
    }

    #[test]
    fn who_makes_nothing_of_the_first_bytes_in_the_middle_finds_nothing_in_the_whole() {
        let (mut tested, mut wrong) = (0, Vec::new());
        for path in replay::captures() {
            for flow in replay::flows(&path).iter().take(20) {
                let streams = Dir::BOTH.map(|dir| flow.buf.view(None, true).stream(dir));
                for buf in joined_in_the_middle(&streams) {
                    let head = buf.view(None, true);
                    let told = Dir::BOTH.map(|dir| opened(dir, false, head.stream(dir).bytes()));
                    let nothing = match told.each_ref().map(|t| t.waiting) {
                        [a, b] if Dir::BOTH.iter().all(|&dir| !head.stream(dir).bytes().is_empty()) => a.both(&b),
                        [a, b] => a.union(&b),
                    };
                    for n in told.iter().fold(nothing, |all, one| all.union(&one.excluded)).iter() {
                        tested += 1;
                        if ALL.get(n).is_some_and(|p| matches!(p.assess(&head), Assessment::Recognised(_))) {
                            wrong.push((ALL[n].name(), path.clone()));
                        }
                    }
                }
            }
        }
        wrong.dedup();
        assert!(wrong.is_empty(), "nothing by two bytes, and found: {wrong:#?}");
        assert!(tested > 1000, "only {tested}");
    }

    #[test]
    fn who_is_not_asked_would_find_nothing() {
        let mut tested = 0;
        for path in replay::captures() {
            for flow in replay::flows(&path) {
                let head = flow.buf.view(None, true);
                let asked = head.datagrams().fold(ProtocolSet::EMPTY, |all, d| all.union(&may_read(d.bytes, d.len)));
                if head.count(Dir::Originator) == 0 {
                    continue;
                }
                for n in everybody().without(&asked).iter() {
                    tested += 1;
                    let found = replay::finding(ALL[n], &flow);
                    assert!(found.is_none(), "{} in {} of {path:?}: {found:?}", ALL[n].name(), flow.name);
                }
            }
        }
        assert!(tested > 1000);
    }
}
