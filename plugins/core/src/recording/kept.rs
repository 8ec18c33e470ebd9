//! The units that the next recording may need again.
//!
//! The gate pushes no unit twice. A recording whose sync point was already pushed in the one
//! before begins with units that only we still hold, so we keep what a sync point at or before
//! the end of a recording makes decodable.

use std::collections::VecDeque;

use super::Unit;
use crate::time::Nanos;

/// The last groups of pictures that were pushed. Invariant: the first unit is a sync point.
#[derive(Debug)]
pub struct Kept<T> {
    units: VecDeque<Unit<T>>,
    /// `bytes = Σ unit.bytes`.
    bytes: u64,
    max_bytes: u64,
}

impl<T: Clone> Kept<T> {
    /// Keeps at most `max_bytes`; a single group of pictures beyond that is let go.
    pub fn new(max_bytes: u64) -> Self {
        Self {
            units: VecDeque::new(),
            bytes: 0,
            max_bytes,
        }
    }

    /// Takes the next unit in decode order.
    ///
    /// Two groups stay: the end of the open recording is not known yet, and the younger sync point
    /// may turn out to lie behind it.
    pub fn push(&mut self, unit: Unit<T>) {
        if !unit.sync && self.units.is_empty() {
            return;
        }
        let second = self.sync_points().nth(1);
        if unit.sync
            && let Some(second) = second
        {
            self.drop_front(second);
        }
        self.bytes += unit.bytes;
        self.units.push_back(unit);
        while self.bytes > self.max_bytes {
            let next = self.sync_points().nth(1).unwrap_or(self.units.len());
            self.drop_front(next);
        }
    }

    /// The recording has ended at `end`: the next one starts there or later, so nothing before
    /// the last sync point below `end` is needed any more.
    pub fn close(&mut self, end: Nanos) {
        let last = self
            .sync_points()
            .filter(|&at| self.units[at].pts < end)
            .last();
        self.drop_front(last.unwrap_or(0));
    }

    /// The units from the sync point on, without its leading pictures, which do not decode from
    /// there; `None` if it is not kept.
    pub fn since(&self, sync_point: Nanos) -> Option<Vec<Unit<T>>> {
        let from = self
            .sync_points()
            .find(|&at| self.units[at].pts == sync_point)?;
        let units = self.units.iter().skip(from);
        Some(
            units
                .filter(|unit| unit.pts >= sync_point)
                .cloned()
                .collect(),
        )
    }

    /// The units from the last sync point on, without its leading pictures.
    pub fn last_group(&self) -> Vec<Unit<T>> {
        let last = self.sync_points().last().map(|at| self.units[at].pts);
        last.and_then(|at| self.since(at)).unwrap_or_default()
    }

    /// PTS of the first unit that is kept.
    pub fn start(&self) -> Option<Nanos> {
        self.units.front().map(|unit| unit.pts)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.units.clear();
        self.bytes = 0;
    }

    fn sync_points(&self) -> impl Iterator<Item = usize> {
        self.units
            .iter()
            .enumerate()
            .filter_map(|(at, unit)| unit.sync.then_some(at))
    }

    fn drop_front(&mut self, count: usize) {
        let dropped: u64 = self.units.drain(..count).map(|unit| unit.bytes).sum();
        self.bytes -= dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(pts: Nanos, sync: bool) -> Unit<Nanos> {
        Unit {
            pts,
            dts: None,
            duration: None,
            sync,
            bytes: 1,
            payload: pts,
        }
    }

    /// Groups of ten: sync points at 0, 10, 20, …
    fn kept(until: Nanos) -> Kept<Nanos> {
        let mut kept = Kept::new(1000);
        for pts in 0..until {
            kept.push(unit(pts, pts % 10 == 0));
        }
        kept
    }

    fn all(kept: &Kept<Nanos>) -> Vec<Nanos> {
        kept.units.iter().map(|unit| unit.payload).collect()
    }

    #[test]
    fn while_open_the_last_two_groups_stay() {
        assert_eq!(all(&kept(35)), (20..35).collect::<Vec<_>>());
    }

    #[test]
    fn at_the_end_only_what_its_last_sync_point_opens_stays() {
        let mut kept = kept(35);
        kept.close(35);
        assert_eq!(all(&kept), (30..35).collect::<Vec<_>>());
    }

    #[test]
    fn a_sync_point_at_the_end_or_behind_it_does_not_push_out_the_one_before() {
        let mut kept = kept(31);
        kept.close(30);
        assert_eq!(all(&kept), (20..31).collect::<Vec<_>>());
        assert_eq!(kept.since(30).map(|units| units.len()), Some(1));
    }

    #[test]
    fn units_come_again_without_leading_pictures() {
        let mut kept = Kept::new(1000);
        for (pts, sync) in [(0, true), (3, true), (1, false), (2, false), (4, false)] {
            kept.push(unit(pts, sync));
        }
        let again = kept.since(3).expect("3 is a kept sync point");
        let again: Vec<_> = again.iter().map(|unit| unit.pts).collect();
        assert_eq!(again, [3, 4]);
        assert_eq!(kept.since(2), None);
    }

    #[test]
    fn a_group_larger_than_the_bound_is_let_go_until_the_next_sync_point() {
        let mut kept = Kept::new(5);
        for pts in 0..8 {
            kept.push(unit(pts, pts == 0));
        }
        assert_eq!(all(&kept), [] as [Nanos; 0]);
        kept.push(unit(8, true));
        assert_eq!(all(&kept), [8]);
    }
}
