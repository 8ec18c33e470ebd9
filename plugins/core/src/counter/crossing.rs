//! Who crosses which line: tracked objects whose reference point changes sides.
//!
//! A point on the line is on neither side: who touches it and turns back has not crossed. Who walks
//! round the end of a line has changed sides without crossing it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::geometry::{Point, side, touch};
use super::shape::{Direction, Line};
use crate::time::{Nanos, SECOND};

/// A track that was not seen for longer does not come back: who then bears its number is somebody
/// else, who has crossed nothing yet. Trackers forget sooner, unless they are told otherwise.
const FORGET: Nanos = 60 * SECOND;

/// How often a line was crossed since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    /// From its left side to its right.
    pub(super) left_to_right: u64,
    /// From its right side to its left.
    pub(super) right_to_left: u64,
}

/// One crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crossing {
    /// Index of the line.
    pub(super) line: usize,
    /// Never [`Direction::Both`].
    pub(super) direction: Direction,
    /// With this one.
    pub(super) totals: Totals,
}

#[derive(Debug)]
struct Track {
    at: Point,
    seen: Nanos,
    /// Of each line, the side on which it was last; `Equal` where it was on none yet.
    sides: Vec<Ordering>,
}

impl Track {
    fn is_over(&self, now: Nanos) -> bool {
        now.saturating_sub(self.seen) > FORGET
    }
}

/// The tracks and totals of a rule's lines.
#[derive(Debug, Default)]
pub(super) struct Crossings {
    tracks: BTreeMap<i64, Track>,
    totals: Vec<Totals>,
    /// When it was last looked whose tracks are over.
    tidied: Nanos,
}

impl Crossings {
    /// Moves a track to `at`; gives the crossings, in the order of the lines.
    pub(super) fn step(&mut self, lines: &[Line], id: i64, at: Point, now: Nanos) -> Vec<Crossing> {
        self.totals.resize(lines.len(), Totals::default());
        let new = || Track {
            at,
            seen: now,
            sides: vec![Ordering::Equal; lines.len()],
        };
        let track = self.tracks.entry(id).or_insert_with(new);
        if track.is_over(now) {
            *track = new();
        }
        let mut crossed = Vec::new();
        for (n, line) in lines.iter().enumerate() {
            let (from, to) = (track.sides[n], side(line.from, line.to, at));
            if to.is_eq() {
                continue;
            }
            track.sides[n] = to;
            if from.is_eq() || from == to {
                continue;
            }
            if !line.endless && !touch(track.at, at, line.from, line.to) {
                continue;
            }
            let totals = &mut self.totals[n];
            let direction = if to.is_gt() {
                totals.left_to_right += 1;
                Direction::LeftToRight
            } else {
                totals.right_to_left += 1;
                Direction::RightToLeft
            };
            crossed.push(Crossing {
                line: n,
                direction,
                totals: *totals,
            });
        }
        (track.at, track.seen) = (at, now);
        crossed
    }

    /// Lets go of tracks that are over, now and then: they count for nothing before, too.
    pub(super) fn tidy(&mut self, now: Nanos) {
        if now.saturating_sub(self.tidied) <= FORGET {
            return;
        }
        self.tidied = now;
        self.tracks.retain(|_, track| !track.is_over(now));
    }

    /// Another stream: its tracks are others. What was counted stays counted.
    pub(super) fn flush(&mut self) {
        self.tracks.clear();
        self.tidied = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(endless: bool) -> Line {
        Line {
            endless,
            ..Line::new("l", (0.5, 0.25), (0.5, 0.75)).expect("a line")
        }
    }

    fn walk(line: &Line, path: &[(f64, f64)]) -> Vec<Direction> {
        let mut crossings = Crossings::default();
        let lines = [line.clone()];
        let steps = path.iter().enumerate();
        steps
            .flat_map(|(n, &(x, y))| crossings.step(&lines, 7, Point::new(x, y), n as Nanos))
            .map(|crossing| crossing.direction)
            .collect()
    }

    #[test]
    fn sides_are_those_of_who_looks_along_the_line() {
        // The line leads down, so its left side is the picture's right.
        use Direction::{LeftToRight, RightToLeft};
        assert_eq!(walk(&line(false), &[(0.6, 0.5), (0.4, 0.5)]), [LeftToRight]);
        assert_eq!(walk(&line(false), &[(0.4, 0.5), (0.6, 0.5)]), [RightToLeft]);
    }

    #[test]
    fn who_stops_on_the_line_crosses_when_leaving_it_on_the_other_side() {
        let through = [(0.4, 0.5), (0.5, 0.5), (0.5, 0.6), (0.6, 0.5)];
        assert_eq!(walk(&line(false), &through).len(), 1);
        let back = [(0.4, 0.5), (0.5, 0.5), (0.4, 0.5)];
        assert_eq!(walk(&line(false), &back), []);
        let appeared = [(0.5, 0.5), (0.6, 0.5)];
        assert_eq!(walk(&line(false), &appeared), []);
    }

    #[test]
    fn who_walks_round_the_end_crosses_only_an_endless_line() {
        let round = [(0.4, 0.1), (0.6, 0.1), (0.6, 0.5), (0.4, 0.5)];
        assert_eq!(walk(&line(false), &round).len(), 1);
        assert_eq!(walk(&line(true), &round).len(), 2);
    }

    #[test]
    fn a_track_is_remembered_for_one_span_whenever_others_are_forgotten() {
        let lines = [line(false)];
        let (left, right) = (Point::new(0.4, 0.5), Point::new(0.6, 0.5));
        // Another track keeps the tidying going, once a minute from various times on.
        for first in [1, 30, 59, 61, 100] {
            for (away, crosses) in [(FORGET, true), (FORGET + 1, false)] {
                let mut crossings = Crossings::default();
                let mut step = |id, at, now| {
                    let crossed = crossings.step(&lines, id, at, now).len();
                    crossings.tidy(now);
                    crossed
                };
                let seen = first * SECOND;
                step(7, left, seen);
                step(8, left, seen + away / 2);
                let crossed = step(7, right, seen + away);
                assert_eq!(crossed, usize::from(crosses), "{first} {away}");
                // It is the track that it was, or another one, from here on.
                assert_eq!(step(7, left, seen + away + SECOND), 1, "{first} {away}");
            }
        }
    }

    type Place = (i64, i64);

    /// Whether who goes from `p` to `q`, of which the latter is not on the line through `a` and `b`
    /// and the former not on its side, meets that line between the two: by the place where they do,
    /// as a fraction.
    fn meets([p, q]: [Place; 2], [a, b]: [Place; 2]) -> bool {
        let (far, near) = (distance([a, b], q), distance([a, b], p));
        let whole = far - near;
        let within = |p: i64, q: i64, a: i64, b: i64| {
            let at = (p * far - q * near) * whole.signum();
            (a.min(b) * whole.abs()..=a.max(b) * whole.abs()).contains(&at)
        };
        within(p.0, q.0, a.0, b.0) && within(p.1, q.1, a.1, b.1)
    }

    /// How far a place is from the line through `a` and `b`, times a number; negative on its left.
    fn distance([a, b]: [Place; 2], p: Place) -> i64 {
        (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0)
    }

    /// What the changes of sign of the distance say, counted one by one.
    fn truth(walks: &[Vec<Place>], ends: [Place; 2], endless: bool) -> Totals {
        let mut truth = Totals::default();
        for walk in walks {
            let mut sign = 0;
            for (n, place) in walk.iter().enumerate() {
                let now = distance(ends, *place).signum();
                if now == 0 {
                    continue;
                }
                let counts = || endless || meets([walk[n - 1], *place], ends);
                match (std::mem::replace(&mut sign, now), now) {
                    (-1, 1) if counts() => truth.left_to_right += 1,
                    (1, -1) if counts() => truth.right_to_left += 1,
                    _ => {}
                }
            }
        }
        truth
    }

    proptest! {
        #[test]
        fn totals_are_the_changes_of_sign_of_the_distance_where_the_way_meets_the_line(
            walks in proptest::collection::vec(
                proptest::collection::vec((0..=20_i64, 0..=20_i64), 0..24), 1..4),
            from in (0..=20_i64, 0..=20_i64), to in (0..=20_i64, 0..=20_i64),
            endless in any::<bool>(),
        ) {
            let at = |(x, y): Place| Point::new(x as f64 / 32.0, y as f64 / 32.0);
            prop_assume!(from != to);
            let line = Line {
                name: String::new(),
                from: at(from),
                to: at(to),
                endless,
            };
            let mut crossings = Crossings::default();
            let mut last = Totals::default();
            let longest = walks.iter().map(Vec::len).max().unwrap_or(0);
            for n in 0..longest {
                for (id, walk) in walks.iter().enumerate() {
                    let Some(&p) = walk.get(n) else { continue };
                    for crossing in crossings.step(std::slice::from_ref(&line), id as i64, at(p), n as Nanos) {
                        last = crossing.totals;
                    }
                }
            }
            prop_assert_eq!(last, truth(&walks, [from, to], endless));
        }
    }
}
