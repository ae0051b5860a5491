//! Which flows are decided, as far as the capture thread needs to know: when workers are late, their packets go first.
//!
//! A table of fingerprints that workers write and the capture thread reads. A fingerprint that another one pushed out
//! only means that a packet is not shed; one that is taken for another's happens once in 2^32 looks.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Fingerprints kept: 1 MiB of them.
const KEPT: usize = 1 << 18;

/// Fingerprints of decided flows.
#[derive(Debug)]
pub(super) struct Shed {
    decided: Box<[AtomicU32]>,
    pressed: AtomicBool,
}

impl Default for Shed {
    fn default() -> Self {
        Self { decided: (0..KEPT).map(|_| AtomicU32::new(0)).collect(), pressed: AtomicBool::new(false) }
    }
}

impl Shed {
    /// The place of a flow's fingerprint, and the fingerprint, which is never 0.
    fn place(&self, hash: u64) -> (Option<&AtomicU32>, u32) {
        (self.decided.get(hash as usize % KEPT), (hash >> 32) as u32 | 1)
    }

    /// Says whether workers are busy. What was noted in an earlier time of pressure is forgotten: those flows may be over.
    pub(super) fn press(&self, pressed: bool) {
        if !self.pressed.swap(pressed, Ordering::Relaxed) && pressed {
            self.decided.iter().for_each(|place| place.store(0, Ordering::Relaxed));
        }
    }

    /// Notes whether the flow of this hash is decided.
    pub(super) fn note(&self, hash: u64, decided: bool) {
        let (Some(place), print) = self.place(hash) else { return };
        match (place.load(Ordering::Relaxed) == print, decided) {
            (false, true) => place.store(print, Ordering::Relaxed),
            (true, false) => place.store(0, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Whether the flow of this hash is decided.
    pub(super) fn is_decided(&self, hash: u64) -> bool {
        let (place, print) = self.place(hash);
        place.is_some_and(|place| place.load(Ordering::Relaxed) == print)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_noted_is_decided() {
        let shed = Shed::default();
        let (hash, same_place) = (7 << 40 | 5, 9 << 40 | 5);
        shed.note(hash, true);
        assert!(shed.is_decided(hash) && !shed.is_decided(same_place));
        shed.note(same_place, false);
        assert!(shed.is_decided(hash));
        shed.note(same_place, true);
        assert!(!shed.is_decided(hash) && shed.is_decided(same_place));
        shed.press(true);
        assert!(!shed.is_decided(same_place));
        shed.note(hash, true);
        shed.press(true);
        assert!(shed.is_decided(hash));
        shed.press(false);
        shed.press(true);
        assert!(!shed.is_decided(hash));
    }
}
