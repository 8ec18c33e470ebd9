//! A stream beside the one that decides where clips begin: audio, or lines of JSON.
//!
//! Each stream comes at its own pace, so units wait here until the leading stream has come as
//! far; then every clip that covers them takes them, each by a place of its own in the queue.

use std::collections::VecDeque;

use super::Unit;
use crate::time::Nanos;

/// A place in the queue, counted from the stream's first unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place(u64);

/// The units of one stream, in order of time.
#[derive(Debug)]
pub struct Beside<T> {
    units: VecDeque<Unit<T>>,
    /// Place of the first unit.
    first: u64,
    /// `bytes = Σ unit.bytes`.
    bytes: u64,
    max_bytes: u64,
    /// PTS of the newest unit.
    newest: Nanos,
    /// Nothing that comes is shown earlier, as far as was told: `position ≥ newest`.
    position: Nanos,
    /// Units that were out of order.
    disordered: u64,
}

impl<T> Beside<T> {
    /// Holds at most `max_bytes`; beyond that the oldest go.
    pub fn new(max_bytes: u64) -> Self {
        Self {
            units: VecDeque::new(),
            first: 0,
            bytes: 0,
            max_bytes,
            newest: Nanos::MIN,
            position: Nanos::MIN,
            disordered: 0,
        }
    }

    /// Takes the next unit; one that is shown before the last is dropped and counted. One that
    /// [`Beside::reached`] has ruled out comes all the same, so that was wrong: it is taken, and what
    /// follows it is waited for again.
    pub fn push(&mut self, unit: Unit<T>) {
        if unit.pts < self.newest {
            self.disordered += 1;
            return;
        }
        self.newest = unit.pts;
        self.position = unit.pts;
        self.bytes += unit.bytes;
        self.units.push_back(unit);
        while self.bytes > self.max_bytes {
            self.drop_front();
        }
    }

    /// Nothing will come that is shown before `time`.
    pub fn reached(&mut self, time: Nanos) {
        self.position = self.position.max(time);
    }

    /// Up to where everything is known.
    pub fn position(&self) -> Nanos {
        self.position
    }

    /// Units that were dropped because they were out of order.
    pub fn disordered(&self) -> u64 {
        self.disordered
    }

    /// The next unit in `[from, until)` at or behind `place`, which moves behind it.
    pub fn next(&self, place: &mut Place, from: Nanos, until: Nanos) -> Option<&Unit<T>> {
        place.0 = place.0.max(self.first);
        loop {
            let at = usize::try_from(place.0 - self.first).ok()?;
            let unit = self.units.get(at).filter(|unit| unit.pts < until)?;
            place.0 += 1;
            if unit.pts >= from {
                return Some(unit);
            }
        }
    }

    /// Lets go of what is shown before `time`.
    pub fn drop_before(&mut self, time: Nanos) {
        while self.units.front().is_some_and(|unit| unit.pts < time) {
            self.drop_front();
        }
    }

    /// Begins anew; places that were given stay valid.
    pub fn clear(&mut self) {
        while !self.units.is_empty() {
            self.drop_front();
        }
        self.newest = Nanos::MIN;
        self.position = Nanos::MIN;
    }

    fn drop_front(&mut self) {
        if let Some(unit) = self.units.pop_front() {
            self.bytes -= unit.bytes;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(pts: Nanos) -> Unit<()> {
        Unit {
            pts,
            dts: None,
            duration: None,
            sync: true,
            bytes: 1,
            payload: (),
        }
    }

    fn taken(beside: &Beside<()>, place: &mut Place, from: Nanos, until: Nanos) -> Vec<Nanos> {
        std::iter::from_fn(|| beside.next(place, from, until).map(|unit| unit.pts)).collect()
    }

    #[test]
    fn each_clip_takes_what_it_covers_once_and_two_may_cover_the_same() {
        let mut beside = Beside::new(100);
        (0..20).for_each(|pts| beside.push(unit(pts)));
        let (mut one, mut two) = (Place::default(), Place::default());
        assert_eq!(taken(&beside, &mut one, 3, 6), [3, 4, 5]);
        assert_eq!(taken(&beside, &mut one, 3, 8), [6, 7]);
        assert_eq!(taken(&beside, &mut two, 5, 9), [5, 6, 7, 8]);
    }

    #[test]
    fn a_place_stays_right_when_units_before_it_go() {
        let mut beside = Beside::new(5);
        let mut place = Place::default();
        (0..4).for_each(|pts| beside.push(unit(pts)));
        assert_eq!(taken(&beside, &mut place, 0, 2), [0, 1]);
        (4..9).for_each(|pts| beside.push(unit(pts)));
        assert_eq!(taken(&beside, &mut place, 0, 6), [4, 5]);
        beside.drop_before(8);
        assert_eq!(taken(&beside, &mut place, 0, 99), [8]);
        beside.clear();
        beside.push(unit(1));
        assert_eq!(taken(&beside, &mut place, 0, 99), [1]);
    }

    #[test]
    fn what_comes_out_of_order_is_counted_and_left_out() {
        let mut beside = Beside::new(100);
        beside.push(unit(5));
        beside.push(unit(4));
        assert_eq!((beside.disordered(), beside.position()), (1, 5));
    }

    #[test]
    fn what_comes_although_a_gap_has_ruled_it_out_is_taken_and_waited_for() {
        let mut beside = Beside::new(100);
        beside.push(unit(5));
        beside.reached(Nanos::MAX);
        assert_eq!(beside.position(), Nanos::MAX);
        beside.push(unit(8));
        beside.push(unit(4));
        assert_eq!((beside.disordered(), beside.position()), (1, 8));
        assert_eq!(taken(&beside, &mut Place::default(), 0, 99), [5, 8]);
    }
}
