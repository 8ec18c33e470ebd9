//! The words in which a signal says why it was raised, and an observation why it raised none.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::crossing::Crossing;
use super::rule::Rule;
use super::sift::{Fate, Sifted};
use super::watch::{Step, Verdict};
use crate::time::{Nanos, seconds};

/// Why a rule holds: its name, the most frequent label (the best of those equally frequent) or the
/// one it gives, how many objects count, who saw them, and each of them.
pub(super) fn presence(rule: &Rule, model: &str, step: &Step<'_>) -> Map<String, Value> {
    let counted: Vec<_> = step.counted().collect();
    let mut body = head(rule, label(rule, &counted), counted.len(), model);
    if !rule.zones.is_empty() {
        body.insert("zones".into(), zone_counts(rule, &counted));
    }
    if rule.confirm() > 1 {
        let confirmed = json!({"held": step.held, "of": rule.window()});
        body.insert("confirmed".into(), confirmed);
    }
    let objects: Vec<_> = counted.iter().map(|object| told(rule, object)).collect();
    body.insert("objects".into(), objects.into());
    body
}

/// Why a crossing is worth a signal: which line, which way, by whom, and how often so far.
pub(super) fn crossing(
    rule: &Rule,
    model: &str,
    object: &Sifted<'_>,
    crossing: &Crossing,
) -> Map<String, Value> {
    let mut body = head(rule, label(rule, &[object]), 1, model);
    let line = &rule.lines[crossing.line].name;
    body.insert("line".into(), line.as_str().into());
    body.insert("direction".into(), crossing.direction.as_str().into());
    let totals = crossing.totals;
    body.insert(
        "totals".into(),
        json!({
            "left_to_right": totals.left_to_right,
            "right_to_left": totals.right_to_left,
            "total": totals.left_to_right + totals.right_to_left,
        }),
    );
    body.insert("objects".into(), vec![told(rule, object)].into());
    body
}

fn head(rule: &Rule, label: Option<&str>, count: usize, model: &str) -> Map<String, Value> {
    let mut body = Map::new();
    if !rule.name.is_empty() {
        body.insert("rule".into(), rule.name.as_str().into());
    }
    if let Some(label) = label {
        body.insert("label".into(), label.into());
    }
    body.insert("count".into(), count.into());
    if !model.is_empty() {
        body.insert("model".into(), model.into());
    }
    body
}

/// What a signal about these objects, best first, is labelled.
fn label<'a>(rule: &'a Rule, counted: &[&Sifted<'a>]) -> Option<&'a str> {
    if let Some(label) = &rule.signal_label {
        return Some(label);
    }
    let labels = || counted.iter().map(|o| o.detection.label.as_str());
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for label in labels() {
        *tally.entry(label).or_default() += 1;
    }
    let most = tally.values().max();
    labels().find(|label| tally.get(label) == most)
}

fn zone_counts(rule: &Rule, counted: &[&Sifted<'_>]) -> Value {
    let count = |n: usize| counted.iter().filter(|o| o.zones >> n & 1 == 1).count();
    let zones = rule.zones.iter().enumerate();
    let counts = zones.map(|(n, zone)| (zone.name.clone(), count(n).into()));
    Value::Object(counts.collect())
}

fn told(rule: &Rule, object: &Sifted<'_>) -> Value {
    let mut value = object.detection.to_json();
    if !rule.zones.is_empty() {
        value["zones"] = zone_names(rule, object).into();
    }
    if rule.min_dwell > 0 {
        value["dwell"] = object.dwell.into();
    }
    value
}

fn zone_names<'a>(rule: &'a Rule, object: &Sifted<'_>) -> Vec<&'a str> {
    let zones = rule.zones.iter().enumerate();
    zones
        .filter(|(n, _)| object.zones >> n & 1 == 1)
        .map(|(_, zone)| zone.name.as_str())
        .collect()
}

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
        Fate::Zone if rule.outside => {
            format!("{who}: within {}", zone_names(rule, object).join(", "))
        }
        Fate::Zone => format!("{who}: in no zone"),
        Fate::Dwell => format!(
            "{who}: there for {} s of {} s",
            seconds(object.dwell),
            seconds(rule.min_dwell)
        ),
        Fate::Counted if rule.zones.is_empty() || rule.outside => format!("{who}: counts"),
        Fate::Counted => format!("{who}: counts in {}", zone_names(rule, object).join(", ")),
    }
}

/// A presence that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) rule: String,
    pub(super) label: Option<String>,
    pub(super) since: Nanos,
    pub(super) last_seen: Nanos,
    /// When it counts as over.
    pub(super) at: Nanos,
    pub(super) cause: &'static str,
}

/// Why it stops: what was last there, and what had ended before while another rule still held.
pub(super) fn end(mut all: Vec<Ended>) -> Option<(Nanos, Map<String, Value>)> {
    // Stable: of those that end at once the first rule's comes first.
    all.sort_by_key(|ended| ended.at);
    let last = all.pop()?;
    let mut body = members(&last);
    body.insert("cause".into(), last.cause.into());
    if !all.is_empty() {
        let before: Vec<_> = all.iter().map(|one| Value::Object(members(one))).collect();
        body.insert("ended_before".into(), before.into());
    }
    Some((last.at, body))
}

fn members(ended: &Ended) -> Map<String, Value> {
    let mut body = Map::new();
    if !ended.rule.is_empty() {
        body.insert("rule".into(), ended.rule.as_str().into());
    }
    if let Some(label) = &ended.label {
        body.insert("label".into(), label.as_str().into());
    }
    body.insert("since".into(), ended.since.into());
    body.insert("last_seen".into(), ended.last_seen.into());
    body
}
