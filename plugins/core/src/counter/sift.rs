//! Which objects of an observation a rule counts, and why the others not.

use super::rule::Rule;
use crate::detection::Detection;

/// What became of an object. In this order it is asked of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Its label does not count.
    Label,
    /// The detector is not sure enough.
    Confidence,
    /// Too small or too large.
    Area,
    /// Too near or too far, or nobody knows.
    Distance,
    /// In none of the zones, or in one where outside is asked for.
    Zone,
    /// Not there for long enough.
    Dwell,
    /// It counts.
    Counted,
}

/// An object and what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sifted<'a> {
    /// Its place among the objects of the observation, best first.
    pub(super) place: usize,
    pub(super) detection: &'a Detection,
    pub(super) fate: Fate,
    /// The zones in which it lies, a bit each; only of objects that come so far.
    pub(super) zones: u64,
    /// How long it has counted, where the rule asks.
    pub(super) dwell: i64,
}

impl Sifted<'_> {
    /// Whether it lies in the rule's zone `n`.
    pub(super) fn is_in(&self, n: usize) -> bool {
        self.zones >> n & 1 == 1
    }

    /// The names of the zones of its rule in which it lies.
    pub(super) fn zones_of<'r>(&self, rule: &'r Rule) -> impl Iterator<Item = &'r str> {
        let zones = rule.zones.iter().enumerate();
        let within = zones.filter(|(n, _)| self.is_in(*n));
        within.map(|(_, zone)| zone.name.as_str())
    }
}

/// Everything but dwell, which takes memory.
pub(super) fn sift<'a>(rule: &Rule, place: usize, detection: &'a Detection) -> Sifted<'a> {
    let mut zones = 0;
    let fate = fate(rule, detection, &mut zones);
    Sifted {
        place,
        detection,
        fate,
        zones,
        dwell: 0,
    }
}

fn fate(rule: &Rule, detection: &Detection, zones: &mut u64) -> Fate {
    let classes = &rule.class_ids;
    let known = classes.is_empty() || classes.contains(&detection.label_id);
    let Some(threshold) = rule.labels.threshold(&detection.label, rule.min_confidence) else {
        return Fate::Label;
    };
    if !known {
        return Fate::Label;
    }
    let confidence = detection.confidence;
    // A NaN is no confidence.
    if !(confidence > threshold || !rule.above && confidence == threshold) {
        return Fate::Confidence;
    }
    let area = detection.bbox.area();
    if !(rule.min_area..=rule.max_area).contains(&area) {
        return Fate::Area;
    }
    if !rule.reaches(detection.distance) {
        return Fate::Distance;
    }
    if rule.zones.is_empty() {
        return Fate::Counted;
    }
    *zones = rule.reference.zones(&rule.zones, detection);
    match (*zones != 0, rule.outside) {
        (true, false) => Fate::Counted,
        (false, true) if rule.knows_outside(detection.position) => Fate::Counted,
        _ => Fate::Zone,
    }
}
