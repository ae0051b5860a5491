//! The evidence of one reading, one item per family.

use crate::protocol::{Bits, Evidence, Family, Sentence};

/// Collects one item per family: bits add up, the first frames and the first sentence stay.
#[derive(Debug, Default)]
pub(super) struct Items(Vec<Evidence>);

impl Items {
    pub(super) fn add(&mut self, family: &'static Family, bits: i32, frames: &[u64], text: impl Into<Sentence>) {
        let Some(known) = self.0.iter_mut().find(|e| e.family == family) else {
            let frames = frames.iter().copied().collect();
            self.0.push(Evidence { family, bits: Bits::whole(bits), frames, text: text.into() });
            return;
        };
        known.bits = (known.bits + Bits::whole(bits)).min(family.cap);
        for frame in frames {
            if !known.frames.contains(frame) {
                known.frames.push(*frame);
            }
        }
    }

    /// Appends items of other families.
    pub(super) fn append(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, family: &'static Family) -> bool {
        self.0.iter().any(|e| e.family == family)
    }

    pub(super) fn into_vec(self) -> Vec<Evidence> {
        self.0
    }
}
