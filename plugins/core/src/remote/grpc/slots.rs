//! Room for pictures in memory that is shared with a server. A picture keeps its place until the
//! server has said that it is done with it.

use std::collections::BTreeMap;

/// Which bytes are taken. Invariant: the taken ranges lie below `length` and never overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    length: u64,
    /// Lengths by offset; none is 0.
    taken: BTreeMap<u64, u64>,
}

impl Slots {
    /// All of `length` bytes free.
    pub fn new(length: u64) -> Self {
        Self {
            length,
            taken: BTreeMap::new(),
        }
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Takes the first gap of `bytes`; its offset, or `None` where there is none.
    pub fn take(&mut self, bytes: u64) -> Option<u64> {
        // A picture of nothing still has a place of its own.
        let bytes = bytes.max(1);
        let mut offset = 0;
        for (&at, &length) in &self.taken {
            if at - offset >= bytes {
                break;
            }
            offset = at + length;
        }
        if self.length.checked_sub(offset)? < bytes {
            return None;
        }
        self.taken.insert(offset, bytes);
        Some(offset)
    }

    /// Frees what was taken at `offset`.
    pub fn free(&mut self, offset: u64) {
        self.taken.remove(&offset);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_that_fits_is_taken_again() {
        let mut slots = Slots::new(10);
        assert_eq!(slots.take(4), Some(0));
        assert_eq!(slots.take(4), Some(4));
        assert_eq!(slots.take(4), None, "it is full");
        assert_eq!(slots.take(2), Some(8));
        slots.free(0);
        assert_eq!(slots.take(5), None, "no gap is as long");
        assert_eq!(slots.take(3), Some(0));
        assert_eq!(Slots::new(0).take(0), None);
    }

    proptest! {
        #[test]
        fn no_two_pictures_ever_share_a_byte(steps in prop::collection::vec((0..40_u64, any::<bool>()), 0..200)) {
            let mut slots = Slots::new(100);
            let mut held: Vec<(u64, u64)> = Vec::new();
            for (bytes, free) in steps {
                if free && !held.is_empty() {
                    let (offset, _) = held.swap_remove(bytes as usize % held.len());
                    slots.free(offset);
                } else if let Some(offset) = slots.take(bytes) {
                    let end = offset + bytes.max(1);
                    prop_assert!(end <= 100);
                    prop_assert!(held.iter().all(|&(from, to)| end <= from || to <= offset));
                    held.push((offset, end));
                }
            }
            for (offset, _) in held {
                slots.free(offset);
            }
            prop_assert_eq!(slots, Slots::new(100));
        }
    }
}
