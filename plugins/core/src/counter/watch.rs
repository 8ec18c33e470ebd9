//! One rule at work: what it remembers from observation to observation, and when it holds.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use super::crossing::{Crossing, Crossings};
use super::rule::Rule;
use super::shape::Direction;
use super::sift::{Fate, Sifted, sift};
use crate::detection::Detection;
use crate::time::Nanos;

/// A presence: from when, until when, and whether somebody looked in vain since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: Nanos,
    pub(super) last: Nanos,
    missed: bool,
}

impl Span {
    fn new(now: Nanos) -> Self {
        Self {
            since: now,
            last: now,
            missed: false,
        }
    }

    /// Whether it had ended by `now`: somebody looked in vain and it was away for long enough.
    fn is_over(&self, now: Nanos, absence: Nanos) -> bool {
        self.missed && now.saturating_sub(self.last) >= absence
    }

    fn see(&mut self, now: Nanos) {
        (self.last, self.missed) = (now, false);
    }
}

/// What a rule says of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Too few count, or nobody crosses.
    TooFew,
    /// Too many count.
    TooMany,
    /// It holds, but not yet in enough observations: in `held` of the last ones.
    Unconfirmed {
        /// In how many.
        held: u32,
    },
    /// It holds.
    Holds,
}

/// What an observation did to a rule.
pub(super) struct Step<'a> {
    /// All objects, best first.
    pub(super) objects: &'a [Sifted<'a>],
    pub(super) verdict: Verdict,
    /// Each with the index of its object.
    pub(super) crossings: Vec<(usize, Crossing)>,
    /// A presence that has ended before this observation.
    pub(super) ended: Option<Span>,
    /// A presence begins; with the first of the observations that confirm it.
    pub(super) began: Option<Nanos>,
    pub(super) held: u32,
}

impl Step<'_> {
    pub(super) fn counted(&self) -> impl Iterator<Item = &Sifted<'_>> {
        let counts = |object: &&Sifted<'_>| object.fate == Fate::Counted;
        self.objects.iter().filter(counts)
    }
}

/// A rule and its memory.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) rule: Rule,
    /// Whether it held in the last observations, as many as `window-frames`, and when they were.
    window: VecDeque<(Nanos, bool)>,
    /// Since when each object counts; those without a track are one.
    present: BTreeMap<Option<i64>, Span>,
    /// When the last presence was seen last.
    until: Nanos,
    /// Since when the rule holds.
    pub(super) phase: Option<Span>,
    crossings: Crossings,
}

impl Watch {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            window: VecDeque::new(),
            present: BTreeMap::new(),
            until: Nanos::MIN,
            phase: None,
            crossings: Crossings::default(),
        }
    }

    pub(super) fn flush(&mut self) {
        self.window.clear();
        self.present.clear();
        self.until = Nanos::MIN;
        self.phase = None;
        self.crossings.flush();
    }

    /// Takes the objects of an observation, best first; sifts them into `sifted`.
    pub(super) fn step<'s, 'a: 's>(
        &mut self,
        now: Nanos,
        found: &[&'a Detection],
        sifted: &'s mut Vec<Sifted<'a>>,
    ) -> Step<'s> {
        let rule = &self.rule;
        let found = found.iter().enumerate();
        sifted.clear();
        sifted.extend(found.map(|(n, object)| sift(rule, n, object)));
        if rule.min_dwell > 0 {
            self.dwell(now, sifted);
        }
        let mut step = Step {
            objects: sifted,
            verdict: Verdict::TooFew,
            crossings: Vec::new(),
            ended: None,
            began: None,
            held: 0,
        };
        if self.rule.lines.is_empty() {
            self.judge(now, &mut step);
        } else {
            self.cross(now, &mut step);
        }
        step
    }

    /// Lets count only who has been there for long enough.
    fn dwell(&mut self, now: Nanos, objects: &mut [Sifted<'_>]) {
        let (least, absence) = (self.rule.min_dwell, self.rule.absence_time);
        for object in objects.iter_mut().filter(|o| o.fate == Fate::Counted) {
            let id = object.detection.track_id;
            let span = self.present.entry(id).or_insert_with(|| Span::new(now));
            if span.is_over(now, absence) {
                *span = Span::new(now);
            }
            span.see(now);
            object.dwell = now.saturating_sub(span.since);
            if object.dwell < least {
                object.fate = Fate::Dwell;
            }
        }
        self.present.retain(|_, span| {
            span.missed |= span.last < now;
            !span.is_over(now, absence)
        });
    }

    fn cross(&mut self, now: Nanos, step: &mut Step<'_>) {
        let rule = &self.rule;
        for (n, object) in step.objects.iter().enumerate() {
            let (Fate::Counted, Some(id)) = (object.fate, object.detection.track_id) else {
                continue;
            };
            let at = rule.reference.point(&object.detection.bbox);
            for crossing in self.crossings.step(&rule.lines, id, at, now) {
                if [Direction::Both, crossing.direction].contains(&rule.direction) {
                    step.crossings.push((n, crossing));
                }
            }
        }
        self.crossings.tidy(now);
        if !step.crossings.is_empty() {
            step.verdict = Verdict::Holds;
        }
    }

    fn judge(&mut self, now: Nanos, step: &mut Step<'_>) {
        let rule = &self.rule;
        let count = u32::try_from(step.counted().count()).unwrap_or(u32::MAX);
        let holds = count >= rule.min_count && rule.max_count.is_none_or(|max| count <= max);
        if let Some(span) = &mut self.phase {
            span.missed |= !holds;
            if span.is_over(now, rule.absence_time) {
                self.until = span.last;
                step.ended = self.phase.take();
            }
        }
        self.window.push_back((now, holds));
        while self.window.len() > rule.window() as usize {
            self.window.pop_front();
        }
        let held = self.window.iter().filter(|(_, held)| *held).count();
        step.held = u32::try_from(held).unwrap_or(u32::MAX);
        step.verdict = if !holds && count < rule.min_count {
            Verdict::TooFew
        } else if !holds {
            Verdict::TooMany
        } else if let Some(span) = &mut self.phase {
            span.see(now);
            Verdict::Holds
        } else if step.held < rule.confirm() {
            Verdict::Unconfirmed { held: step.held }
        } else {
            let mut window = self.window.iter();
            let first = window.find(|(at, held)| *held && *at > self.until);
            step.began = Some(first.map_or(now, |(first, _)| *first));
            self.phase = Some(Span {
                since: step.began.unwrap_or(now),
                ..Span::new(now)
            });
            Verdict::Holds
        };
    }
}

/// A total order, so that the order in which a detector lists its finds changes no signal.
pub(super) fn best_first(a: &Detection, b: &Detection) -> Ordering {
    match b.confidence.total_cmp(&a.confidence) {
        Ordering::Equal => equally_sure(a, b),
        order => order,
    }
}

/// Where in space it is, in an order of its own.
fn place(detection: &Detection) -> (Option<u64>, Option<[u64; 3]>) {
    let distance = detection.distance.map(f64::to_bits);
    (distance, detection.position.map(|at| at.map(f64::to_bits)))
}

#[cold]
fn equally_sure(a: &Detection, b: &Detection) -> Ordering {
    let corners = |d: &Detection| [d.bbox.l, d.bbox.t, d.bbox.w, d.bbox.h];
    a.label
        .cmp(&b.label)
        .then_with(|| {
            let pairs = corners(a).into_iter().zip(corners(b));
            pairs
                .map(|(a, b)| a.total_cmp(&b))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        })
        .then_with(|| a.track_id.cmp(&b.track_id))
        .then_with(|| a.label_id.cmp(&b.label_id))
        .then_with(|| place(a).cmp(&place(b)))
}
