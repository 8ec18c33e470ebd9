//! Signals that the rules raise, with their reason, as the line of JSON that is told.

use super::crossing::Crossing;
use super::rule::Rule;
use super::sift::Sifted;
use super::watch::Step;
use crate::json::{Members, quote};
use crate::signal::{Action, Signal, SignalError};
use crate::time::Nanos;

/// A signal, in words already: they are made while what they are about is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// What it asks.
    pub action: Action,
    /// When its frame was, where that is known.
    pub media_time: Option<Nanos>,
    /// How many objects count; none of a stop.
    pub count: usize,
    /// The signal as one line of JSON, without its newline.
    pub line: String,
}

impl Raised {
    /// The signal as who receives it reads it.
    ///
    /// # Errors
    /// Those of [`Signal::parse`]: a line with very many objects is longer than is read.
    pub fn signal(&self) -> Result<Signal, SignalError> {
        Signal::parse(self.line.as_bytes())
    }
}

/// Says that a rule holds, and why: its name, the most frequent label (the best of those equally
/// frequent) or the one it gives, how many objects count, who saw them, and each of them. A start
/// also says since when.
pub(super) fn presence(
    rule: &Rule,
    model: &str,
    media_time: Option<Nanos>,
    step: &Step<'_>,
) -> Raised {
    let counted = || step.counted();
    let count = counted().count();
    let since = (rule.emit == super::Emit::OnChange)
        .then_some(step.began)
        .flatten();
    let action = since.map_or(Action::Trigger, |_| Action::Start);
    let mut line = String::with_capacity(256 + 160 * count);
    let mut members = head(&mut line, action, media_time, &rule.name);
    about(&mut members, rule, counted, count, model);
    if !rule.zones.is_empty() {
        let mut zones = members.object("zones");
        for (n, zone) in rule.zones.iter().enumerate() {
            let within = counted().filter(|object| object.is_in(n)).count();
            zones.integer(&zone.name, within as u64);
        }
        zones.close();
    }
    if rule.confirm() > 1 {
        let mut confirmed = members.object("confirmed");
        confirmed.integer("held", step.held);
        confirmed.integer("of", rule.window());
        confirmed.close();
    }
    members.list("objects", counted(), |text, object| {
        told(text, rule, object)
    });
    if let Some(since) = since {
        members.integer("since", since);
    }
    members.close();
    Raised {
        action,
        media_time,
        count,
        line,
    }
}

/// Says who crossed which line, which way, and how often that has happened so far.
pub(super) fn crossing(
    rule: &Rule,
    model: &str,
    media_time: Option<Nanos>,
    object: &Sifted<'_>,
    crossing: &Crossing,
) -> Raised {
    let action = Action::Trigger;
    let mut line = String::with_capacity(512);
    let mut members = head(&mut line, action, media_time, &rule.name);
    about(&mut members, rule, || [object].into_iter(), 1, model);
    members.string("line", &rule.lines[crossing.line].name);
    members.string("direction", crossing.direction.as_str());
    let totals = crossing.totals;
    let mut all = members.object("totals");
    all.integer("left_to_right", totals.left_to_right);
    all.integer("right_to_left", totals.right_to_left);
    all.integer("total", totals.left_to_right + totals.right_to_left);
    all.close();
    members.list("objects", [object], |text, object| told(text, rule, object));
    members.close();
    Raised {
        action,
        media_time,
        count: 1,
        line,
    }
}

/// What every signal begins with.
fn head<'a>(
    line: &'a mut String,
    action: Action,
    media_time: Option<Nanos>,
    rule: &str,
) -> Members<'a> {
    let mut members = Members::open(line);
    members.string("action", action.as_str());
    if let Some(media_time) = media_time {
        members.integer("media_time", media_time);
    }
    if !rule.is_empty() {
        members.string("rule", rule);
    }
    members
}

fn about<'a, I: Iterator<Item = &'a Sifted<'a>>>(
    members: &mut Members<'_>,
    rule: &Rule,
    counted: impl Fn() -> I,
    count: usize,
    model: &str,
) {
    let given = rule.signal_label.as_deref();
    if let Some(label) = given.or_else(|| most_frequent(counted())) {
        members.string("label", label);
    }
    members.integer("count", count as u64);
    if !model.is_empty() {
        members.string("model", model);
    }
}

/// Of labels that are equally frequent the first.
fn most_frequent<'a>(counted: impl Iterator<Item = &'a Sifted<'a>>) -> Option<&'a str> {
    // Few: what a frame shows is of a kind or two.
    let mut tally: Vec<(&str, usize)> = Vec::new();
    for object in counted {
        let label = object.detection.label.as_str();
        match tally.iter_mut().find(|(other, _)| *other == label) {
            Some((_, times)) => *times += 1,
            None => tally.push((label, 1)),
        }
    }
    let most = tally.iter().map(|(_, times)| *times).max()?;
    let first = tally.iter().find(|(_, times)| *times == most);
    first.map(|(label, _)| *label)
}

fn told(text: &mut String, rule: &Rule, object: &Sifted<'_>) {
    let mut members = Members::open(text);
    object.detection.tell(&mut members);
    if !rule.zones.is_empty() {
        members.list("zones", object.zones_of(rule), |text, name| {
            quote(text, name)
        });
    }
    if rule.min_dwell > 0 {
        members.integer("dwell", object.dwell);
    }
    members.close();
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

/// Says that all this has stopped: what was last there, and what had ended before while another
/// rule still held. The stop's own time comes after `told` and no later than `now`.
pub(super) fn stop(mut all: Vec<Ended>, told: Nanos, now: Nanos) -> Option<Raised> {
    // Stable: of those that end at once the first rule's comes first.
    all.sort_by_key(|ended| ended.at);
    let last = all.pop()?;
    let action = Action::Stop;
    let at = last.at.max(told.saturating_add(1)).min(now);
    let mut line = String::with_capacity(256);
    let mut members = head(&mut line, action, Some(at), &last.rule);
    was(&mut members, &last);
    members.string("cause", last.cause);
    if !all.is_empty() {
        members.list("ended_before", &all, |text, ended| {
            let mut members = Members::open(text);
            if !ended.rule.is_empty() {
                members.string("rule", &ended.rule);
            }
            was(&mut members, ended);
            members.close();
        });
    }
    members.close();
    Some(Raised {
        action,
        media_time: Some(at),
        count: 0,
        line,
    })
}

fn was(members: &mut Members<'_>, ended: &Ended) {
    if let Some(label) = &ended.label {
        members.string("label", label);
    }
    members.integer("since", ended.since);
    members.integer("last_seen", ended.last_seen);
}
