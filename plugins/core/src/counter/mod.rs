//! From what a detector saw to what is worth a signal.
//!
//! Here: what a rule asks for (`rule`, `labels`, `shape`), which detections count (`geometry`,
//! `volume`, `sift`), when a rule holds (`watch`, `crossing`), the words in which a signal says why
//! (`raised`) and in which it is explained what each rule made of a frame (`reason`), and the forms
//! in which rules are written (`rules_file`, `azure`, `nvdsanalytics`). Not here: how observations
//! come off frames and how signals travel.

pub mod azure;
mod crossing;
mod geometry;
mod labels;
pub mod nvdsanalytics;
mod raised;
mod reason;
mod rule;
pub mod rules_file;
mod shape;
mod sift;
mod volume;
mod watch;

use self::raised::{Ended, Endings, Teller, Words};
use self::watch::{Cause, Span, Step, Watch, best_first};
use crate::detection::{Detection, Observation};
use crate::time::Nanos;

pub use self::geometry::{Point, Polygon, ShapeError};
pub use self::labels::{Labels, LabelsError};
pub use self::raised::Raised;
pub use self::reason::Decision;
pub use self::rule::{Emit, MAX_NAME, MAX_SHAPES, Rule, RuleError};
pub use self::rules_file::RulesError;
pub use self::shape::{
    Direction, Extent, Line, ListError, Reference, Zone, parse_lines, parse_zones,
};
pub use self::volume::{Bounds, Volume, VolumeError};
pub use self::watch::Verdict;

/// Whether a model that says exactly `known`, by the numbers `ids`, can say every label of `rules`
/// and find every class; one that does not tell is believed.
///
/// # Errors
/// Of the first rule that it cannot serve, with the rule's path in a rules file.
pub fn check_labels<'a>(
    rules: impl IntoIterator<Item = &'a Rule>,
    model: &str,
    known: &[String],
    ids: &[i32],
) -> Result<(), RulesError> {
    for rule in rules {
        rule.labels
            .check(model, known)
            .map_err(|err| rule.error(err.into()))?;
        rule.check_classes(model, ids)
            .map_err(|err| rule.error(err))?;
    }
    Ok(())
}

/// Holds rules against observations, one after the other.
#[derive(Debug, Default)]
pub struct Counter {
    watches: Vec<Watch>,
    /// The last numbered observation that was counted.
    last_seq: Option<u64>,
    /// The time of the last observation that had one, or of a gap's end. All up to it has been told,
    /// so nothing that is still to be told may be about it.
    now: Option<Nanos>,
    /// Presences that are over while another rule's goes on: one stop ends them all.
    ended: Endings,
    explains: bool,
    decisions: Vec<Decision>,
    lacks_tracks: bool,
    lacks_numbers: bool,
    words: Words,
}

impl Counter {
    /// A counter that has seen nothing yet. The rules have been checked.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self {
            watches: rules.into_iter().map(Watch::new).collect(),
            ..Self::default()
        }
    }

    /// The rules by which it counts.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.watches.iter().map(|watch| &watch.rule)
    }

    /// Counts by other rules from the next observation on. A rule that asks for what it asked for
    /// keeps what it remembers, wherever it stands now; a presence whose rule is gone ends with the
    /// next observation.
    pub fn configure(&mut self, rules: Vec<Rule>) {
        let mut old = std::mem::take(&mut self.watches);
        for rule in rules {
            let same = old.iter().position(|watch| watch.rule.asks_as(&rule));
            self.watches.push(match same {
                Some(same) => old.swap_remove(same).under(rule),
                None => Watch::new(rule),
            });
        }
        for watch in &mut old {
            if let Some(span) = watch.phase.take() {
                end(&mut self.ended, &watch.rule, span, Cause::RulesChanged);
            }
        }
    }

    /// Whether decisions are put into words, which costs more than deciding.
    pub fn explain(&mut self, explains: bool) {
        self.explains = explains;
    }

    /// What each rule made of the last observation, where decisions are put into words.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Whether a rule with lines has met an object without a track, which crosses nothing.
    pub fn lacks_tracks(&self) -> bool {
        self.lacks_tracks
    }

    /// Whether a rule that asks for classes by number has met an object whose class has none, which
    /// it never counts.
    pub fn lacks_numbers(&self) -> bool {
        self.lacks_numbers
    }

    /// Takes what was seen in the frame at `media_time` and gives the signals that it raises,
    /// possibly none.
    ///
    /// `None` where the observation changes nothing, as it was counted before: elements that keep
    /// a frame rate push a frame twice, with its metas.
    pub fn observe(
        &mut self,
        media_time: Option<Nanos>,
        observation: &Observation,
    ) -> Option<Vec<Raised>> {
        // A foreign detector names no model and numbers nothing: each of its frames is new.
        if !observation.model.is_empty() {
            if self.last_seq == Some(observation.seq) {
                return None;
            }
            self.last_seq = Some(observation.seq);
        }
        let told = self.now;
        self.now = media_time.or(self.now);
        let now = self.now.unwrap_or(0);
        self.decisions.clear();
        let mut objects: Vec<_> = observation.detections.iter().collect();
        objects.sort_unstable_by(|a, b| best_first(a, b));
        let mut sifted = Vec::with_capacity(objects.len());
        self.words.begin(objects.len());
        let (mut signals, mut goes_on) = (Vec::new(), false);
        for watch in &mut self.watches {
            let step = watch.step(now, &objects, &mut sifted);
            if let Some((span, cause)) = step.ended {
                end(&mut self.ended, &watch.rule, span, cause);
            }
            let on_change = watch.rule.emit == Emit::OnChange;
            goes_on |= on_change && watch.phase.is_some() && step.began.is_none();
            if self.explains {
                self.decisions.push(reason::decision(&watch.rule, &step));
            }
            let unnumbered = |object: &&Detection| object.label_id < 0;
            self.lacks_numbers |=
                !watch.rule.class_ids.is_empty() && objects.iter().any(unnumbered);
            let untracked = |object: &sift::Sifted<'_>| object.detection.track_id.is_none();
            self.lacks_tracks |= !watch.rule.lines.is_empty() && step.counted().any(untracked);
            let teller = Teller {
                rule: &watch.rule,
                model: &observation.model,
                media_time,
                words: &mut self.words,
            };
            raise(teller, &step, &mut signals);
        }
        if !goes_on {
            // It ended before what has begun since.
            signals.splice(0..0, self.ended.stop(told, self.now));
        }
        Some(signals)
    }

    /// Nobody looked at the frame at `now`: gives the stop of what nobody has looked for too long.
    /// An observation of an earlier frame may still come.
    pub fn unobserved(&mut self, now: Nanos) -> Option<Raised> {
        let mut goes_on = false;
        for watch in &mut self.watches {
            if let Some((span, cause)) = watch.unobserved(now) {
                end(&mut self.ended, &watch.rule, span, cause);
            }
            goes_on |= watch.rule.emit == Emit::OnChange && watch.phase.is_some();
        }
        let stop = match goes_on {
            true => None,
            false => self.ended.stop(self.now, Some(now)),
        };
        self.now = stop.as_ref().and_then(|stop| stop.media_time).or(self.now);
        stop
    }

    /// Up to `end` there are no frames.
    pub fn gap(&mut self, end: Nanos) -> Option<Raised> {
        let stop = self.unobserved(end);
        self.now = self.now.max(Some(end));
        stop
    }

    /// The stream has ended: what is still there has been seen for the last time.
    pub fn end(&mut self) -> Option<Raised> {
        self.end_all();
        self.ended.stop(self.now, self.now.map(|_| Nanos::MAX))
    }

    /// Another stream begins, and all is forgotten: what was there stops before anything of it.
    pub fn begin(&mut self) -> Option<Raised> {
        self.end_all();
        let just_now = self.now.map(|now| now.saturating_add(1));
        let stop = self.ended.stop(self.now, just_now);
        self.flush();
        stop
    }

    /// What comes next has nothing to do with what was seen, and nobody is to hear of that any
    /// more: the stream was flushed.
    pub fn flush(&mut self) {
        self.last_seq = None;
        self.now = None;
        self.ended = Endings::default();
        self.watches.iter_mut().for_each(Watch::flush);
    }

    fn end_all(&mut self) {
        for watch in &mut self.watches {
            if let Some(span) = watch.phase.take() {
                end(&mut self.ended, &watch.rule, span, Cause::EndOfStream);
            }
        }
    }
}

/// A presence is over, which matters where it was told to have begun.
fn end(endings: &mut Endings, rule: &Rule, span: Span, cause: Cause) {
    if rule.emit == Emit::OnChange {
        endings.add(Ended {
            rule: rule.name.clone(),
            label: rule.signal_label.clone(),
            since: span.since,
            last_seen: span.last,
            at: span.end(cause, rule),
            cause,
        });
    }
}

/// The signals of one rule.
fn raise(mut teller: Teller<'_>, step: &Step<'_>, signals: &mut Vec<Raised>) {
    let rule = teller.rule;
    if !rule.lines.is_empty() {
        for (object, crossing) in &step.crossings {
            signals.push(teller.crossing(&step.objects[*object], crossing));
        }
    } else if step.verdict == Verdict::Holds
        && (rule.emit == Emit::WhilePresent || step.began.is_some())
    {
        signals.push(teller.presence(step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;

    fn seen(label: &'static str, confidence: f64) -> Detection {
        Detection {
            label: label.into(),
            label_id: -1,
            confidence,
            bbox: BoundingBox {
                l: 1.0 / 3.0,
                t: 0.25,
                w: 0.125,
                h: 0.5,
            },
            track_id: None,
            distance: None,
            position: None,
        }
    }

    fn frame(seq: u64, detections: Vec<Detection>) -> Observation {
        Observation {
            seq,
            model: "m".into(),
            detections,
        }
    }

    fn config(labels: &str, min_confidence: f64, min_count: u32) -> Vec<Rule> {
        vec![Rule {
            labels: Labels::parse(labels).expect("a right list"),
            min_confidence,
            min_count,
            ..Rule::default()
        }]
    }

    #[test]
    fn a_signal_says_when_what_how_many_who_and_where() {
        let mut counter = Counter::new(config("person", 0.5, 1));
        let tracked = Detection {
            track_id: Some(7),
            ..seen("person", 0.812_345)
        };
        let signals = counter
            .observe(Some(-5), &frame(0, vec![seen("dog", 0.9), tracked]))
            .expect("a new observation");
        assert_eq!(signals.len(), 1);
        assert_eq!(
            signals[0].line,
            r#"{"action":"trigger","media_time":-5,"label":"person","count":1,"model":"m","#
                .to_owned()
                + r#""objects":[{"label":"person","confidence":0.8123,"#
                + r#""box":{"l":0.333333,"t":0.25,"w":0.125,"h":0.5},"track_id":7}]}"#
        );
    }

    #[test]
    fn fewer_than_min_count_raise_nothing() {
        let mut counter = Counter::new(config("", 0.5, 2));
        let counted: Vec<_> = (0..4)
            .map(|n| {
                let detections = vec![seen("person", 0.5); n];
                let signals = counter.observe(Some(0), &frame(n as u64, detections));
                signals.map(|signals| signals.len())
            })
            .collect();
        assert_eq!(counted, [Some(0), Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn a_frame_with_nothing_in_it_never_triggers() {
        let mut counter = Counter::new(config("", 0.0, 1));
        assert_eq!(counter.observe(Some(0), &frame(0, vec![])), Some(vec![]));
    }

    #[test]
    fn a_duplicated_frame_counts_once_until_a_flush() {
        let mut counter = Counter::new(config("", 0.5, 1));
        let one = frame(0, vec![seen("person", 0.9)]);
        assert!(counter.observe(Some(0), &one).is_some());
        assert_eq!(counter.observe(Some(40), &one), None);
        counter.flush();
        assert!(counter.observe(Some(0), &one).is_some());
    }

    #[test]
    fn every_frame_of_a_detector_that_numbers_none_counts() {
        let mut counter = Counter::new(config("", 0.5, 1));
        let one = Observation {
            detections: vec![seen("person", 0.9)],
            ..Observation::default()
        };
        for time in 0..3 {
            let signals = counter.observe(Some(time), &one).expect("counted");
            assert!(!signals[0].line.contains("model"));
        }
    }

    #[test]
    fn the_signals_label_is_the_most_frequent_and_then_the_best() {
        let mut counter = Counter::new(config("", 0.1, 1));
        let mut label = |seq, detections| {
            let signals = counter.observe(None, &frame(seq, detections));
            let raised = signals.expect("counted")[0].signal();
            raised.expect("it is told as a signal").body["label"].clone()
        };
        let (dog, cat, car) = (seen("dog", 0.2), seen("cat", 0.8), seen("car", 0.3));
        assert_eq!(label(0, vec![dog.clone(), cat.clone(), dog.clone()]), "dog");
        assert_eq!(label(1, vec![car, dog, cat]), "cat");
    }

    /// Names that need six times their bytes in JSON.
    fn long(name: usize) -> String {
        let tail = name.to_string();
        "\u{1}".repeat(MAX_NAME - tail.len()) + &tail
    }

    #[test]
    fn no_signal_is_longer_than_a_gate_takes() {
        let square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let zone = |n| Zone {
            name: long(n),
            extent: Extent::Frame(Polygon::new(&square).expect("a square")),
        };
        let rule = |name, emit| Rule {
            name,
            emit,
            ..Rule::default()
        };
        let rules = vec![
            Rule {
                labels: Labels::parse("person").expect("a right list"),
                signal_label: Some(long(1)),
                zones: (0..MAX_SHAPES).map(zone).collect(),
                ..rule(long(0), Emit::OnChange)
            },
            Rule {
                labels: Labels::parse("shop").expect("a right list"),
                ..rule("shop".into(), Emit::OnChange)
            },
            rule("each".into(), Emit::WhilePresent),
        ];
        assert!(rules.iter().all(|rule| rule.check().is_ok()));
        let mut counter = Counter::new(rules);
        let mut raised = Vec::new();
        for n in 0..2_000 {
            let crowd = if n % 2 == 0 { 300 } else { 0 };
            let mut seen_now = vec![seen("person", 0.9); crowd];
            if n < 1_999 {
                seen_now.push(seen("shop", 0.9));
            }
            let time = n as i64 * crate::time::SECOND;
            raised.extend(
                counter
                    .observe(Some(time), &frame(n, seen_now))
                    .expect("new"),
            );
        }
        raised.extend(counter.end());
        let bodies: Vec<_> = raised.iter().map(|raised| raised.signal()).collect();
        assert!(bodies.iter().all(Result::is_ok));
        let stop = bodies.last().and_then(|it| it.as_ref().ok()).expect("one");
        let told = stop.body["ended_before"].as_array().map_or(0, Vec::len);
        let untold = stop.body["ended_before_untold"].as_u64();
        assert!(told > 10, "{told}");
        assert_eq!(
            untold.map(|untold| untold + told as u64),
            Some(1_000),
            "{stop:?}"
        );
    }

    #[test]
    fn other_rules_hold_from_the_next_observation_on() {
        let mut counter = Counter::new(config("person", 0.5, 1));
        let dog = |seq| frame(seq, vec![seen("dog", 0.9)]);
        assert_eq!(counter.observe(Some(0), &dog(0)), Some(vec![]));
        counter.configure(config("dog", 0.5, 1));
        assert_eq!(counter.observe(Some(0), &dog(0)), None);
        assert_eq!(counter.observe(Some(1), &dog(1)).map(|s| s.len()), Some(1));
    }
}
