//! The held units of the reference stream, in decode order, and where among them decoding can begin.

use std::collections::VecDeque;

use crate::{gate::Unit, time::Nanos};

/// A place where decoding can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyncPoint {
    pub(super) pts: Nanos,
    /// Counts the units of the stream; the front of the queue is number `Hold::first`.
    number: u64,
}

/// A queue of units. `bytes` and `syncs` always describe exactly what is in it.
#[derive(Debug)]
pub(super) struct Hold<T> {
    units: VecDeque<Unit<T>>,
    first: u64,
    syncs: VecDeque<SyncPoint>,
    bytes: u64,
    /// Units below this number were seen not to lie before that time.
    scanned: (Nanos, u64),
}

impl<T> Default for Hold<T> {
    fn default() -> Self {
        Self {
            units: VecDeque::new(),
            first: 0,
            syncs: VecDeque::new(),
            bytes: 0,
            scanned: (Nanos::MIN, 0),
        }
    }
}

impl<T> Hold<T> {
    pub(super) fn push(&mut self, unit: Unit<T>) {
        if unit.sync {
            let number = self.first + self.units.len() as u64;
            self.syncs.push_back(SyncPoint {
                pts: unit.pts,
                number,
            });
        }
        self.bytes += unit.bytes;
        self.units.push_back(unit);
    }

    pub(super) fn pop(&mut self) -> Option<Unit<T>> {
        let unit = self.units.pop_front()?;
        if unit.sync {
            self.syncs.pop_front();
        }
        self.bytes -= unit.bytes;
        self.first += 1;
        Some(unit)
    }

    /// Drops everything before a held sync point; tells whether that was anything.
    pub(super) fn drop_before(&mut self, sync: SyncPoint) -> bool {
        let dropped = sync.number > self.first;
        while self.first < sync.number && self.pop().is_some() {}
        dropped
    }

    pub(super) fn clear(&mut self) {
        while self.pop().is_some() {}
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.units.len() as u64
    }

    pub(super) fn front(&self) -> Option<&Unit<T>> {
        self.units.front()
    }

    /// The number that the front unit has for good.
    pub(super) fn front_number(&self) -> u64 {
        self.first
    }

    /// The last sync point at or before `time`.
    pub(super) fn sync_at(&self, time: Nanos) -> Option<SyncPoint> {
        // Sync points come in the order in which they are shown; the wanted one is normally at
        // one end or the other, and a search from the front also ends the eviction's work early.
        let after = self.syncs.partition_point(|sync| sync.pts <= time);
        after
            .checked_sub(1)
            .and_then(|last| self.syncs.get(last))
            .copied()
    }

    pub(super) fn first_sync(&self) -> Option<SyncPoint> {
        self.syncs.front().copied()
    }

    /// The first sync point behind the front unit: where the oldest group of pictures ends.
    pub(super) fn second_group(&self) -> Option<SyncPoint> {
        self.syncs
            .iter()
            .find(|sync| sync.number > self.first)
            .copied()
    }

    /// How many units from the front the shortest prefix holds whose last unit is shown before
    /// `time`: those before the last are needed to decode it, whenever they are shown.
    pub(super) fn prefix_before(&mut self, time: Nanos) -> Option<usize> {
        let (scanned, number) = self.scanned;
        let skip = if scanned == time {
            number.saturating_sub(self.first) as usize
        } else {
            0
        };
        let found = self
            .units
            .iter()
            .skip(skip)
            .position(|unit| unit.pts < time);
        let seen = found.map_or(self.units.len(), |index| skip + index);
        self.scanned = (time, self.first + seen as u64);
        found.map(|index| skip + index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(pts: Nanos, sync: bool) -> Unit<()> {
        Unit {
            pts,
            dts: None,
            duration: None,
            sync,
            bytes: 3,
            payload: (),
        }
    }

    #[test]
    fn bytes_and_sync_points_follow_the_units() {
        let mut hold = Hold::default();
        for pts in 0..10 {
            hold.push(unit(pts, pts % 4 == 0));
        }
        assert_eq!((hold.bytes(), hold.len()), (30, 10));
        let sync = hold.sync_at(7).expect("4 is a sync point");
        assert_eq!(sync.pts, 4);
        assert!(hold.drop_before(sync));
        assert!(!hold.drop_before(sync));
        assert_eq!((hold.bytes(), hold.first_sync()), (18, Some(sync)));
        assert_eq!(hold.second_group().map(|sync| sync.pts), Some(8));
        assert_eq!(hold.sync_at(3), None);
        hold.clear();
        assert_eq!((hold.bytes(), hold.len(), hold.first_sync()), (0, 0, None));
    }

    #[test]
    fn a_prefix_ends_with_a_unit_shown_in_time_and_takes_what_that_needs() {
        let mut hold = Hold::default();
        for pts in [0, 4, 2, 1, 3, 8, 6] {
            hold.push(unit(pts, pts == 0));
        }
        let mut lengths = Vec::new();
        while let Some(length) = hold.prefix_before(3) {
            lengths.push(length);
            for _ in 0..length {
                hold.pop();
            }
        }
        assert_eq!(lengths, [1, 2, 1]);
        hold.push(unit(2, false));
        assert_eq!(hold.prefix_before(3), Some(4));
        assert_eq!(hold.prefix_before(9), Some(1));
    }
}
