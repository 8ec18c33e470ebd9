//! The words in which it is said what a rule made of an observation, whether it raised a signal or
//! not. The signals themselves stand in `raised`.

use super::rule::Rule;
use super::sift::{Fate, Sifted};
use super::watch::{Step, Verdict};
use crate::time::seconds;

/// What a rule made of an observation, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Name of the rule.
    pub rule: String,
    /// What it says.
    pub verdict: Verdict,
    /// How many objects count.
    pub count: usize,
    /// The verdict as a phrase, then a phrase for each object.
    pub because: Vec<String>,
}

pub(super) fn decision(rule: &Rule, step: &Step<'_>) -> Decision {
    let count = step.counted().count();
    let mut because = vec![verdict(rule, step, count)];
    because.extend(step.objects.iter().map(|object| fate(rule, object)));
    Decision {
        rule: rule.name.clone(),
        verdict: step.verdict,
        count,
        because,
    }
}

fn verdict(rule: &Rule, step: &Step<'_>, count: usize) -> String {
    match step.verdict {
        Verdict::TooFew if !rule.lines.is_empty() => "nobody crosses".into(),
        Verdict::TooFew => format!("{count} of at least {} count", rule.min_count),
        Verdict::TooMany => format!("{count} of at most {} count", rule.max_count.unwrap_or(0)),
        Verdict::Unconfirmed { held } => format!(
            "{count} count, but it held in {held} of the last {} observations and must in {}",
            rule.window(),
            rule.confirm()
        ),
        Verdict::Holds if !rule.lines.is_empty() => {
            let crossed: Vec<_> = step
                .crossings
                .iter()
                .map(|(_, c)| format!("{} {}", rule.lines[c.line].name, c.direction.as_str()))
                .collect();
            format!("crossed: {}", crossed.join(", "))
        }
        Verdict::Holds => format!("{count} count"),
    }
}

fn fate(rule: &Rule, object: &Sifted<'_>) -> String {
    let detection = object.detection;
    let mut who = format!("{} {:.4}", detection.label, detection.confidence);
    if let Some(track_id) = detection.track_id {
        who += &format!(" #{track_id}");
    }
    let area = detection.bbox.area();
    match object.fate {
        Fate::Label => format!("{who}: the label does not count"),
        Fate::Confidence => {
            let threshold = rule.labels.threshold(&detection.label, rule.min_confidence);
            let bound = if rule.above { "not above" } else { "below" };
            format!("{who}: {bound} {}", threshold.unwrap_or_default())
        }
        Fate::Area => format!(
            "{who}: covers {area:.6} of the frame, not {} to {}",
            rule.min_area, rule.max_area
        ),
        Fate::Distance => match detection.distance {
            None => format!("{who}: nobody knows how far away it is"),
            Some(distance) => {
                let bound = |bound: Option<f64>| bound.map_or("any".into(), |it| it.to_string());
                let (min, max) = (bound(rule.min_distance), bound(rule.max_distance));
                format!("{who}: {distance:.2} m away, not {min} to {max}")
            }
        },
        Fate::Zone if rule.outside && object.zones != 0 => {
            format!("{who}: within {}", zone_names(rule, object))
        }
        Fate::Zone if !rule.knows_outside(detection.position) => {
            format!("{who}: in no zone as far as is known: where in space it is, nobody knows")
        }
        Fate::Zone => format!("{who}: in no zone"),
        Fate::Dwell => format!(
            "{who}: there for {} s of {} s",
            seconds(object.dwell),
            seconds(rule.min_dwell)
        ),
        Fate::Counted if rule.zones.is_empty() || rule.outside => format!("{who}: counts"),
        Fate::Counted => format!("{who}: counts in {}", zone_names(rule, object)),
    }
}

fn zone_names(rule: &Rule, object: &Sifted<'_>) -> String {
    object.zones_of(rule).collect::<Vec<_>>().join(", ")
}
