//! RTMP's chunk stream behind the handshake (Adobe's RTMP Specification 1.0, section 5.3).
//!
//! ```text
//! fmt (2 bits) | chunk stream ID 2..63 (6) | message header of 11, 7, 3 or no bytes | up to chunk size bytes of the message
//! time stamp or its advance (3) | message length (3) | message type (1) | message stream ID (4, LE)
//! ```
//! Each header leaves out what is as in the chunk stream's last message. What does not fit into a chunk goes on in others of
//! format 3.

use super::cursor::Cursor;

/// Chunk sizes that are in use: the default, and what peers set. Most messages fit into one chunk.
const CHUNK_SIZES: [usize; 3] = [128, 4096, 60_000];
/// Messages that say so much later than the last one are none.
const LATER: u32 = 10_000;

/// Messages one behind the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Messages {
    /// How many have a header that says length and type: control, command, audio, video or data.
    pub typed: usize,
    /// How many have a shorter one.
    pub short: usize,
}

impl Messages {
    /// Reads messages that follow each other from the first byte to the last.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        // The cheap test first: it is asked of every segment. The first header says length and type.
        let [first, _, _, _, _, _, _, kind, ..] = bytes else { return None };
        if first >> 6 > 1 || first & 63 < 2 || !matches!(kind, 1..=6 | 8 | 9 | 15 | 17 | 18 | 20) {
            return None;
        }
        let all = CHUNK_SIZES.iter().filter_map(|size| read(bytes, *size));
        all.max_by_key(|messages| (messages.typed, messages.short))
    }
}

/// What the last message of a chunk stream said.
#[derive(Clone, Copy)]
struct Last {
    length: usize,
    kind: u8,
}

fn read(bytes: &[u8], chunk_size: usize) -> Option<Messages> {
    let (mut messages, mut last) = (Messages::default(), [None::<Last>; 64]);
    let mut c = Cursor::new(bytes);
    while let Some(first) = c.u8() {
        let (format, id) = (first >> 6, usize::from(first & 63));
        if c.rest().len() < usize::from([11, 7, 3, 0u8].get(usize::from(format)).copied()?) {
            break;
        }
        let known = last.get_mut(id).filter(|_| id >= 2)?;
        let time = if format < 3 { c.be24()? } else { 0 };
        if format < 2 {
            *known = Some(Last { length: c.be24()? as usize, kind: c.u8()? });
        }
        // Message streams have small numbers.
        if (format == 0 && c.le32()? > 255) || (matches!(format, 1 | 2) && time > LATER) {
            return None;
        }
        let Last { length, kind } = (*known)?;
        if !is_legal(kind, length, id, c.rest()) {
            return None;
        }
        match format {
            0 | 1 => messages.typed += 1,
            _ => messages.short += 1,
        }
        skip(&mut c, length, chunk_size, first | 0xc0)?;
    }
    Some(messages)
}

/// Takes a message, of which the rest may be missing at the end, with the headers of the chunks it goes on in.
fn skip(c: &mut Cursor<'_>, length: usize, chunk_size: usize, further: u8) -> Option<()> {
    let mut left = length;
    loop {
        let part = left.min(chunk_size);
        left -= part;
        if c.take(part.min(c.rest().len()))?.len() < part || left == 0 {
            return Some(());
        }
        match c.u8() {
            None => return Some(()),
            Some(header) if header == further => {}
            Some(_) => return None,
        }
    }
}

/// Whether a message of this type can have this length, and begin like this as far as that is visible.
fn is_legal(kind: u8, length: usize, id: usize, body: &[u8]) -> bool {
    let (first, second) = (body.first().copied(), body.get(1).copied());
    match kind {
        // Protocol control (section 5.4), events of users.
        1..=3 | 5 => id == 2 && length == 4,
        4 => id == 2 && matches!(length, 6 | 10) && first.is_none_or(|high| high == 0),
        6 => id == 2 && length == 5,
        // Audio: an empty one, or a codec; AAC says what follows. Video: a kind of frame and a codec (FLV, annex E.4).
        8 => {
            let aac = first.is_some_and(|b| b >> 4 == 10);
            length < 1 << 16
                && (!aac || second.is_none_or(|n| n < 2))
                && first.is_none_or(|b| !matches!(b >> 4, 12 | 13))
        }
        9 => {
            let fits = |b: u8| matches!(b >> 4, 1..=5) && matches!(b & 15, 2..=7 | 12 | 13) || b >> 4 >= 8;
            (1..1 << 22).contains(&length) && first.is_none_or(fits)
        }
        // Data and commands: a string in AMF.
        18 | 20 => (4..1 << 16).contains(&length) && first.is_none_or(|b| b == 2) && second.is_none_or(|b| b == 0),
        15 | 17 => (4..1 << 16).contains(&length) && first.is_none_or(|b| b == 0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_each_other() {
        let audio = [&[0x44, 0, 0, 0x17, 0, 0, 5, 8, 0xaf, 1, 1, 2, 3][..]; 3].concat();
        assert_eq!(Messages::new(&audio), Some(Messages { typed: 3, short: 0 }));
        let same = [&audio[..], &[0x84, 0, 0, 0x17, 0xaf, 1, 1, 2, 3]].concat();
        assert_eq!(Messages::new(&same), Some(Messages { typed: 3, short: 1 }));
        assert_eq!(Messages::new(&same[1..]), None);
        let acknowledgement = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 1, 2, 3];
        assert_eq!(Messages::new(&acknowledgement), Some(Messages { typed: 1, short: 0 }));
        assert_eq!(Messages::new(&[0; 64]), None);
    }

    #[test]
    fn long_messages_go_on_in_further_chunks() {
        let mut video = vec![6, 0, 0, 9, 0, 1, 0, 9, 1, 0, 0, 0, 0x17];
        video.extend([1; 127]);
        video.push(0xc6);
        video.extend([2; 128]);
        video.extend([0x46, 0, 0, 9, 0, 0, 1, 9, 0x27]);
        assert_eq!(Messages::new(&video), Some(Messages { typed: 2, short: 0 }));
        video[140] = 0xc5;
        // In one large chunk the second header is part of the first message, and what follows is none.
        assert_eq!(Messages::new(&video).map_or(0, |m| m.typed), 1);
    }
}
