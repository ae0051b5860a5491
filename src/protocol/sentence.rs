//! What an item of evidence says and where it was seen, in a form that costs little until somebody reads it: sentences
//! with numbers in them are put into words where they are printed, and the frame numbers stand in place.

use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// A plain sentence without a full stop.
#[derive(Clone)]
pub enum Sentence {
    /// One that is always the same, or had to be put into words at once.
    Said(Cow<'static, str>),
    /// One about numbers, and how to put them into words. [`counted!`] makes these.
    Counted([u64; 3], Words),
}

/// Writes a sentence about numbers.
pub type Words = fn(&[u64; 3], &mut fmt::Formatter<'_>) -> fmt::Result;

/// A [`Sentence`] about up to three numbers in variables: `counted!("{count} messages from byte {offset} on", count, offset)`.
macro_rules! counted {
    ($words:literal, $($number:ident),+) => {
        $crate::protocol::sentence::Sentence::counted([$($number as u64),+], |numbers, out| {
            let [$($number,)+ ..] = numbers;
            write!(out, $words)
        })
    };
}
pub(super) use counted;

impl Sentence {
    /// A sentence about `numbers`.
    pub fn counted<const N: usize>(numbers: [u64; N], words: Words) -> Self {
        const { assert!(N <= 3) };
        let mut all = [0; 3];
        all.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
        Self::Counted(all, words)
    }

    /// In words.
    pub fn in_words(&self) -> Cow<'_, str> {
        match self {
            Self::Said(text) => Cow::Borrowed(text),
            Self::Counted(..) => Cow::Owned(self.to_string()),
        }
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(text) => f.write_str(text),
            Self::Counted(numbers, words) => words(numbers, f),
        }
    }
}

impl fmt::Debug for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.in_words(), f)
    }
}

impl From<&'static str> for Sentence {
    fn from(text: &'static str) -> Self {
        Self::Said(Cow::Borrowed(text))
    }
}

impl From<String> for Sentence {
    fn from(mut text: String) -> Self {
        text.shrink_to_fit();
        Self::Said(Cow::Owned(text))
    }
}

/// The frames that an item names: the first six of those given, which is enough. Most name one or two.
#[derive(Clone, Default)]
pub struct Frames(SmallVec<[u64; 2]>);

/// How many they are at most.
const NAMED: usize = 6;

impl Frames {
    /// Adds a frame while there is room.
    pub fn push(&mut self, frame: u64) {
        if self.0.len() < NAMED {
            self.0.push(frame);
        }
    }
}

impl FromIterator<u64> for Frames {
    fn from_iter<I: IntoIterator<Item = u64>>(frames: I) -> Self {
        Self(frames.into_iter().take(NAMED).collect())
    }
}

impl<const N: usize> From<[u64; N]> for Frames {
    fn from(frames: [u64; N]) -> Self {
        frames.into_iter().collect()
    }
}

impl std::ops::Deref for Frames {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.0
    }
}

impl std::ops::DerefMut for Frames {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_put_into_words_when_they_are_read() {
        let (code, key) = (200_u16, 10_usize);
        assert_eq!(counted!("code {code}, key {key:02x}", code, key).to_string(), "code 200, key 0a");
        assert_eq!(Sentence::from("as it is").in_words(), "as it is");
        assert_eq!(Sentence::from(format!("{code}")).in_words(), "200");
    }

    #[test]
    fn an_item_is_small() {
        // A kept flow has two or three.
        assert!(size_of::<crate::protocol::Evidence>() <= 72);
    }

    #[test]
    fn the_first_six_frames_are_kept() {
        let mut frames: Frames = (1..=5).collect();
        (6..9).for_each(|n| frames.push(n));
        assert_eq!(&frames[..], [1, 2, 3, 4, 5, 6]);
    }
}
