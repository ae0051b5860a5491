//! What recognisers of datagram protocols have in common: reading the kept datagrams of a head with one reader.

use super::{Assessment, Bits, Evidence, Family, Finding, Frames, Sentence};
use crate::flow::{Datagram, Dir, Head};
use crate::packet::Transport;

/// A side is given up after so many datagrams of which the reader could read none, when the other side did no better.
const HOPELESS: u64 = 4;
/// The same when the other side has not spoken.
const HOPELESS_ALONE: u64 = 8;
/// How many frame numbers an item of evidence names.
const NAMED: usize = 4;

/// A datagram that could be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit<'a, T> {
    /// The datagram.
    pub(super) datagram: Datagram<'a>,
    /// What the reader made of it.
    pub(super) message: T,
}

/// All datagrams of a head that one reader could read, in order of arrival.
#[derive(Debug)]
pub(super) struct Reading<'a, T> {
    pub(super) hits: Vec<Hit<'a, T>>,
    /// Datagrams that could not be read, per direction. Empty ones and such of a single byte (keepalives) do not count.
    pub(super) misses: [u64; 2],
    hopeless: bool,
}

/// Whether a datagram is among those that may decide that its side is hopeless. What goes along with a protocol keeps hope up
/// only there: later ones would take an exclusion back.
pub(super) fn decides(datagram: &Datagram<'_>) -> bool {
    datagram.nth < HOPELESS
}

/// Reads the kept datagrams of `head`. A head of a TCP flow has none.
///
/// `read` must do its cheapest test first: it is called for every kept datagram of every flow.
pub(super) fn read<'a, T>(head: &Head<'a>, mut read: impl FnMut(&Datagram<'a>) -> Option<T>) -> Reading<'a, T> {
    let mut reading = Reading { hits: Vec::new(), misses: [0; 2], hopeless: head.transport() == Transport::Tcp };
    if reading.hopeless {
        return reading;
    }
    // Only the first datagrams of a side may decide that it is hopeless, so that later ones cannot take that back.
    let (mut early_hits, mut early_misses) = (false, [0; 2]);
    for datagram in head.datagrams() {
        let early = datagram.nth < HOPELESS_ALONE;
        if let Some(message) = read(&datagram) {
            early_hits |= early;
            reading.hits.push(Hit { datagram, message });
        } else if datagram.len > 1 {
            *datagram.dir.of_mut(&mut reading.misses) += 1;
            *datagram.dir.of_mut(&mut early_misses) += u64::from(early);
            let [a, b] = early_misses;
            let enough = (a >= HOPELESS && b >= HOPELESS) || a >= HOPELESS_ALONE || b >= HOPELESS_ALONE;
            reading.hopeless |= !early_hits && enough;
        }
    }
    if reading.hopeless {
        // What is readable among many foreign ones is chance.
        reading.hits.clear();
    }
    reading
}

impl<'a, T> Reading<'a, T> {
    /// What to say when there is no evidence.
    pub(super) fn nothing(&self) -> Assessment {
        if self.hopeless { Assessment::Excluded } else { Assessment::NotNow }
    }

    /// Whether the first datagrams exclude the protocol for good.
    pub(super) fn is_hopeless(&self) -> bool {
        self.hopeless
    }

    /// Whether foreign datagrams outnumber the readable ones: then what could be read was chance or another layer.
    pub(super) fn mostly_foreign(&self) -> bool {
        self.misses.iter().sum::<u64>() > self.hits.len() as u64
    }

    /// The readable datagrams of one direction.
    pub(super) fn by(&self, dir: Dir) -> impl Iterator<Item = &Hit<'a, T>> {
        self.hits.iter().filter(move |h| h.datagram.dir == dir)
    }

    /// Which sides sent something readable.
    pub(super) fn spoke(&self) -> [bool; 2] {
        Dir::BOTH.map(|dir| self.by(dir).next().is_some())
    }

    /// Whether both did.
    pub(super) fn both(&self) -> bool {
        self.spoke() == [true; 2]
    }

    /// The first pair of a datagram and a later one of the other side for which `answers(first, later)` holds.
    pub(super) fn answer(&self, answers: impl Fn(&T, &T) -> bool) -> Option<(&Hit<'a, T>, &Hit<'a, T>)> {
        self.hits.iter().enumerate().find_map(|(n, reply)| {
            let before = self.hits.iter().take(n).filter(|h| h.datagram.dir != reply.datagram.dir);
            before.rev().find(|h| answers(&h.message, &reply.message)).map(|query| (query, reply))
        })
    }

    /// The frames of the first readable datagrams that satisfy `wanted`.
    pub(super) fn frames(&self, wanted: impl Fn(&T) -> bool) -> Frames {
        self.hits.iter().filter(|h| wanted(&h.message)).map(|h| h.datagram.frame).take(NAMED).collect()
    }
}

/// An item of evidence.
pub(super) fn item(
    family: &'static Family,
    bits: i32,
    frames: impl Into<Frames>,
    text: impl Into<Sentence>,
) -> Evidence {
    Evidence { family, bits: Bits::whole(bits), frames: frames.into(), text: text.into() }
}

/// What the messages of a protocol with self-contained datagrams prove: by their form, and by answering each other.
#[derive(Debug)]
pub(super) struct Shape {
    /// The messages' form.
    pub(super) message: &'static Family,
    /// Bits for the first message.
    pub(super) first: i32,
    /// Bits for each further one.
    pub(super) further: i32,
    /// What the form consists of.
    pub(super) form: &'static str,
    /// A message of one side that answers one of the other.
    pub(super) answer: &'static Family,
    /// Bits for that.
    pub(super) answered: i32,
    /// How the answer shows.
    pub(super) link: &'static str,
}

/// The finding that a shape gives. The side that answers serves. `None` when nothing could be read, or too little of
/// what there is.
pub(super) fn judge<T>(reading: &Reading<'_, T>, shape: &Shape, answers: impl Fn(&T, &T) -> bool) -> Option<Finding> {
    if reading.hits.is_empty() || reading.mostly_foreign() {
        return None;
    }
    let further = reading.hits.len() as i32 - 1;
    let form = item(shape.message, shape.first + further * shape.further, reading.frames(|_| true), shape.form);
    let mut finding = Finding { evidence: vec![form], spoke: reading.spoke(), ..Finding::default() };
    if let Some((query, reply)) = reading.answer(answers) {
        let frames = [query.datagram.frame, reply.datagram.frame];
        finding.evidence.push(item(shape.answer, shape.answered, frames, shape.link));
        finding.server = Some(reply.datagram.dir);
        finding.settled = reading.misses == [0; 2] && finding.bits() >= CERTAIN;
    }
    Some(finding)
}

/// The same for the outer packets of a tunnel, of which neither end serves the other.
pub(super) fn tunnel<T>(reading: &Reading<'_, T>, shape: &Shape) -> Option<Finding> {
    let finding = judge(reading, shape, |_, _| true)?;
    Some(Finding { server: None, settled: finding.bits() >= CERTAIN, ..finding })
}

/// Evidence from which a lone candidate is certain.
pub(super) const CERTAIN: Bits = Bits::whole(30);

impl<T> Reading<'_, T> {
    /// `finding` as an assessment, or what to say without one.
    pub(super) fn conclude(&self, finding: Option<Finding>) -> Assessment {
        match finding {
            Some(finding) => Assessment::Recognised(finding),
            None if self.hits.is_empty() => self.nothing(),
            None => Assessment::NotNow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::Time;

    fn head(dirs: &[Dir]) -> HeadBuf {
        let mut buf = HeadBuf::new(Transport::Udp);
        for (n, dir) in dirs.iter().enumerate() {
            buf.push_datagram(n as u64 + 1, Time(0), *dir, 2, &[n as u8, 0]);
        }
        buf
    }

    #[test]
    fn foreign_first_datagrams_of_both_sides_exclude() {
        use Dir::{Originator as O, Responder as R};
        let verdict = |dirs: &[Dir], good: u8| {
            let buf = head(dirs);
            let r = read(&buf.view(None, false), |d| d.bytes.first().filter(|&&b| b == good).copied());
            matches!(r.nothing(), Assessment::Excluded)
        };
        assert!(!verdict(&[O, O, O, O, R, R, R], 99));
        assert!(verdict(&[O, O, O, O, R, R, R, R], 99));
        assert!(!verdict(&[O, O, O, O, R, R, R, R], 7));
        assert!(verdict(&[O; 8], 99));
        // Nothing that comes later takes an exclusion back.
        assert!(verdict(&[O; 9], 8));
    }
}
