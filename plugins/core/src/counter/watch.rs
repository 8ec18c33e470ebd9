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
///
/// It ends when somebody has looked in vain and it has been away for `absence_time`; or, where
/// nobody looks, when for so long nobody has that it is not known to be there any more.
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

    /// When it counts as over, for such a cause.
    pub(super) fn end(&self, cause: Cause, rule: &Rule) -> Nanos {
        let away = match cause {
            Cause::Unobserved => rule.absence_time.max(rule.unobserved_time),
            _ => rule.absence_time,
        };
        self.last.saturating_add(away)
    }

    /// Why it is over by `now`, if it is.
    fn over(&self, now: Nanos, rule: &Rule) -> Option<Cause> {
        let cause = match self.missed {
            true => Cause::Absent,
            false => Cause::Unobserved,
        };
        (now >= self.end(cause, rule)).then_some(cause)
    }

    fn see(&mut self, now: Nanos) {
        (self.last, self.missed) = (now, false);
    }
}

/// Why a presence is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Absent,
    Unobserved,
    RulesChanged,
    EndOfStream,
}

impl Cause {
    /// As signals say it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unobserved => "unobserved",
            Self::RulesChanged => "rules-changed",
            Self::EndOfStream => "end-of-stream",
        }
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
    /// A presence that has ended before this observation, and why.
    pub(super) ended: Option<(Span, Cause)>,
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
    /// In how many of them it held.
    held: u32,
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
            held: 0,
            present: BTreeMap::new(),
            until: Nanos::MIN,
            phase: None,
            crossings: Crossings::default(),
        }
    }

    /// With its memory, under a rule that asks for the same.
    pub(super) fn under(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    pub(super) fn flush(&mut self) {
        self.window.clear();
        self.held = 0;
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

    /// Nobody has looked since the last observation, and it is `now`: gives the presence that is
    /// over for that, and why. It takes as long where one was only missed: what a detector beside
    /// the stream finds in an earlier frame may come yet.
    pub(super) fn unobserved(&mut self, now: Nanos) -> Option<(Span, Cause)> {
        let rule = &self.rule;
        let lost = |span: &mut Span| now >= span.end(Cause::Unobserved, rule);
        let span = self.phase.take_if(lost)?;
        self.until = span.last;
        let cause = span.over(now, rule)?;
        Some((span, cause))
    }

    /// Lets count only who has been there for long enough.
    fn dwell(&mut self, now: Nanos, objects: &mut [Sifted<'_>]) {
        let rule = &self.rule;
        for object in objects.iter_mut().filter(|o| o.fate == Fate::Counted) {
            let id = object.detection.track_id;
            let span = self.present.entry(id).or_insert_with(|| Span::new(now));
            if span.over(now, rule).is_some() {
                *span = Span::new(now);
            }
            span.see(now);
            object.dwell = now.saturating_sub(span.since);
            if object.dwell < rule.min_dwell {
                object.fate = Fate::Dwell;
            }
        }
        self.present.retain(|_, span| {
            span.missed |= span.last < now;
            span.over(now, rule).is_none()
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
            if let Some(cause) = span.over(now, rule) {
                self.until = span.last;
                step.ended = self.phase.take().zip(Some(cause));
            }
        }
        self.window.push_back((now, holds));
        self.held += u32::from(holds);
        if self.window.len() > rule.window() as usize
            && let Some((_, held)) = self.window.pop_front()
        {
            self.held -= u32::from(held);
        }
        step.held = self.held;
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
