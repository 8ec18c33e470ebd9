//! Signals that the rules raise, with their reason, as the line of JSON that is told.

use std::ops::Range;

use super::Emit;
use super::crossing::Crossing;
use super::rule::Rule;
use super::sift::Sifted;
use super::watch::{Cause, Step};
use crate::json::{Members, Text};
use crate::signal::{Action, MAX_LINE, Signal, SignalError};
use crate::time::Nanos;

/// How many objects, and how many presences that are over, a signal tells one by one.
const MOST_TOLD: usize = 200;

/// How long a line may be where a list in it ends, so that with what follows it stays shorter than
/// `MAX_LINE`, from which on a gate refuses it whole.
const LIST_END: usize = MAX_LINE - 1024;

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
    /// Those of [`Signal::parse`]: names can be so long that the line is too long.
    pub fn signal(&self) -> Result<Signal, SignalError> {
        Signal::parse(self.line.as_bytes())
    }
}

/// The objects of one observation in words: each is put into them once, however many rules tell it.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: Text,
    /// Where the object at each place stands in the text; empty where nobody has told it yet.
    told: Vec<Range<usize>>,
}

impl Words {
    /// Another observation, with so many objects.
    pub(super) fn begin(&mut self, objects: usize) {
        self.text.clear();
        self.told.clear();
        self.told.resize(objects, 0..0);
    }

    fn tell(&mut self, object: &Sifted<'_>, text: &mut Text) {
        let told = &mut self.told[object.place];
        if told.start == told.end {
            let from = self.text.len();
            object.detection.tell(&mut self.text);
            *told = from..self.text.len();
        }
        text.copy(&self.text, told.clone());
    }
}

/// Who says it, of which frame.
pub(super) struct Teller<'a> {
    pub(super) rule: &'a Rule,
    pub(super) model: &'a str,
    pub(super) media_time: Option<Nanos>,
    pub(super) words: &'a mut Words,
}

impl Teller<'_> {
    /// Says that the rule holds, and why: its name, the most frequent label (the best of those
    /// equally frequent) or the one it gives, how many objects count, who saw them, and each of
    /// them. A start also says since when.
    pub(super) fn presence(&mut self, step: &Step<'_>) -> Raised {
        let rule = self.rule;
        let counted: Vec<_> = step.counted().collect();
        let since = step.began.filter(|_| rule.emit == Emit::OnChange);
        let action = since.map_or(Action::Trigger, |_| Action::Start);
        self.raise(action, &counted, |this, members| {
            if !rule.zones.is_empty() {
                let zones = members.name("zones");
                zones.object(|zones| {
                    for (n, zone) in rule.zones.iter().enumerate() {
                        let within = counted.iter().filter(|object| object.is_in(n)).count();
                        zones.given_name(&zone.name).integer(within as u64);
                    }
                });
            }
            if rule.confirm() > 1 {
                members.name("confirmed").object(|confirmed| {
                    confirmed.name("held").integer(step.held);
                    confirmed.name("of").integer(rule.window());
                });
            }
            this.objects(members, &counted);
            if let Some(since) = since {
                members.name("since").integer(since);
            }
        })
    }

    /// Says who crossed which line, which way, and how often that has happened so far.
    pub(super) fn crossing(&mut self, object: &Sifted<'_>, crossing: &Crossing) -> Raised {
        let line = &self.rule.lines[crossing.line];
        let totals = crossing.totals;
        self.raise(Action::Trigger, &[object], |this, members| {
            members.name("line").string(&line.name);
            let direction = crossing.direction.as_str();
            members.name("direction").string(direction);
            members.name("totals").object(|all| {
                all.name("left_to_right").integer(totals.left_to_right);
                all.name("right_to_left").integer(totals.right_to_left);
                all.name("total")
                    .integer(totals.left_to_right + totals.right_to_left);
            });
            this.objects(members, &[object]);
        })
    }

    fn raise(
        &mut self,
        action: Action,
        counted: &[&Sifted<'_>],
        why: impl FnOnce(&mut Self, &mut Members<'_>),
    ) -> Raised {
        let mut text = Text::with_capacity(256 + 144 * counted.len());
        text.object(|members| {
            head(members, action, self.media_time, &self.rule.name);
            let given = self.rule.signal_label.as_deref();
            if let Some(label) = given.or_else(|| most_frequent(counted)) {
                members.name("label").string(label);
            }
            members.name("count").integer(counted.len() as u64);
            if !self.model.is_empty() {
                members.name("model").string(self.model);
            }
            why(self, members);
        });
        Raised {
            action,
            media_time: self.media_time,
            count: counted.len(),
            line: text.finish(),
        }
    }

    /// The objects, best first; the rest is only counted.
    fn objects(&mut self, members: &mut Members<'_>, counted: &[&Sifted<'_>]) {
        let some = counted.iter().take(MOST_TOLD);
        let objects = members.name("objects");
        let told = objects.list_within(LIST_END, some, |text, object| {
            text.object(|members| self.object(members, object));
        });
        if told < counted.len() {
            let untold = counted.len() - told;
            members.name("objects_untold").integer(untold as u64);
        }
    }

    fn object(&mut self, members: &mut Members<'_>, object: &Sifted<'_>) {
        self.words.tell(object, members.raw());
        if !self.rule.zones.is_empty() {
            let zones = object.zones_of(self.rule);
            members.name("zones").list(zones, Text::string);
        }
        if self.rule.min_dwell > 0 {
            members.name("dwell").integer(object.dwell);
        }
    }
}

/// What every signal begins with.
fn head(members: &mut Members<'_>, action: Action, media_time: Option<Nanos>, rule: &str) {
    members.name("action").string(action.as_str());
    if let Some(media_time) = media_time {
        members.name("media_time").integer(media_time);
    }
    if !rule.is_empty() {
        members.name("rule").string(rule);
    }
}

/// Of labels that are equally frequent the first.
fn most_frequent<'a>(counted: &[&Sifted<'a>]) -> Option<&'a str> {
    // Few: what a frame shows is of a kind or two.
    let mut tally: Vec<(&str, usize)> = Vec::new();
    for object in counted {
        let label = &*object.detection.label;
        match tally.iter_mut().find(|(other, _)| *other == label) {
            Some((_, times)) => *times += 1,
            None => tally.push((label, 1)),
        }
    }
    let most = tally.iter().map(|(_, times)| *times).max()?;
    let first = tally.iter().find(|(_, times)| *times == most);
    first.map(|(label, _)| *label)
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
    pub(super) cause: Cause,
}

/// Presences that are over and not told yet.
#[derive(Debug, Default)]
pub(super) struct Endings {
    all: Vec<Ended>,
    /// Those before them, for which there was no room.
    untold: u64,
}

impl Endings {
    pub(super) fn add(&mut self, ended: Ended) {
        // A rule may begin and end thousands of times while another one holds.
        if self.all.len() >= MOST_TOLD {
            self.all.remove(0);
            self.untold += 1;
        }
        self.all.push(ended);
    }

    /// Says that all this has stopped: what was last there, and what had ended before while another
    /// rule still held. The stop's own time, where times are known, comes after `told` and no later
    /// than `now`.
    pub(super) fn stop(&mut self, told: Option<Nanos>, now: Option<Nanos>) -> Option<Raised> {
        let Self { mut all, untold } = std::mem::take(self);
        // Stable: of those that end at once the first rule's comes first.
        all.sort_by_key(|ended| ended.at);
        let last = all.pop()?;
        let action = Action::Stop;
        let after = told.map_or(Nanos::MIN, |told| told.saturating_add(1));
        let media_time = now.map(|now| last.at.max(after).min(now));
        let mut text = Text::with_capacity(256);
        text.object(|members| {
            head(members, action, media_time, &last.rule);
            was(members, &last);
            members.name("cause").string(last.cause.as_str());
            if !all.is_empty() {
                let before = members.name("ended_before");
                let told = before.list_within(LIST_END, &all, |text, ended| {
                    text.object(|o| ended_before(o, ended));
                });
                let untold = untold + (all.len() - told) as u64;
                if untold > 0 {
                    members.name("ended_before_untold").integer(untold);
                }
            }
        });
        Some(Raised {
            action,
            media_time,
            count: 0,
            line: text.finish(),
        })
    }
}

fn ended_before(members: &mut Members<'_>, ended: &Ended) {
    if !ended.rule.is_empty() {
        members.name("rule").string(&ended.rule);
    }
    was(members, ended);
}

fn was(members: &mut Members<'_>, ended: &Ended) {
    if let Some(label) = &ended.label {
        members.name("label").string(label);
    }
    members.name("since").integer(ended.since);
    members.name("last_seen").integer(ended.last_seen);
}
