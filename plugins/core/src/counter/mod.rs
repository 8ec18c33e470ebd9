//! From what a detector saw to what is worth a signal.
//!
//! Here: which detections count, how many make a trigger, and the words in which the signal says
//! why. Not here: how observations come off frames and how signals travel.

mod labels;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub use self::labels::{Labels, LabelsError};
use crate::detection::{Detection, Observation};
use crate::signal::{Action, Signal, When};
use crate::time::Nanos;

/// What counts; by default every object there is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The labels that count.
    pub labels: Labels,
    /// The confidence from which a detection counts, where its label has no threshold of its own.
    pub min_confidence: f64,
    /// How many counted objects make a trigger; 0 means the same as 1.
    pub min_count: u32,
}

/// Counts objects frame by frame.
#[derive(Debug, Default)]
pub struct Counter {
    config: Config,
    /// The last numbered observation that was counted.
    last_seq: Option<u64>,
}

impl Counter {
    /// A counter that has seen nothing yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            last_seq: None,
        }
    }

    /// The rules by which it counts.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Counts by other rules from the next observation on; what was seen stays seen.
    pub fn configure(&mut self, config: Config) {
        self.config = config;
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
    ) -> Option<Vec<Signal>> {
        // A foreign detector names no model and numbers nothing: each of its frames is new.
        if !observation.model.is_empty() {
            if self.last_seq == Some(observation.seq) {
                return None;
            }
            self.last_seq = Some(observation.seq);
        }
        let Config {
            labels,
            min_confidence,
            min_count,
        } = &self.config;
        let mut counted: Vec<&Detection> = observation
            .detections
            .iter()
            .filter(|detection| labels.accepts(detection, *min_confidence))
            .collect();
        if counted.is_empty() || counted.len() < *min_count as usize {
            return Some(Vec::new());
        }
        counted.sort_by(|a, b| best_first(a, b));
        Some(vec![Signal {
            action: Action::Trigger,
            id: None,
            when: media_time.map(When::Media),
            body: body(&observation.model, &counted),
        }])
    }

    /// What comes next has nothing to do with what was seen: the stream was flushed, or another
    /// one begins.
    pub fn flush(&mut self) {
        self.last_seq = None;
    }
}

/// A total order, so that the order in which a detector lists its finds changes no signal.
fn best_first(a: &Detection, b: &Detection) -> Ordering {
    let corners = |d: &Detection| [d.bbox.l, d.bbox.t, d.bbox.w, d.bbox.h];
    b.confidence
        .total_cmp(&a.confidence)
        .then_with(|| a.label.cmp(&b.label))
        .then_with(|| {
            let pairs = corners(a).into_iter().zip(corners(b));
            pairs
                .map(|(a, b)| a.total_cmp(&b))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        })
        .then_with(|| a.track_id.cmp(&b.track_id))
}

/// Says why: the most frequent label (the best of those equally frequent), how many objects
/// counted, who saw them, and each of them.
fn body(model: &str, counted: &[&Detection]) -> Map<String, Value> {
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    for detection in counted {
        *tally.entry(&detection.label).or_default() += 1;
    }
    let most = tally.values().max();
    let label = counted
        .iter()
        .map(|detection| detection.label.as_str())
        .find(|label| tally.get(label) == most);

    let mut body = Map::new();
    body.insert("label".into(), label.into());
    body.insert("count".into(), counted.len().into());
    if !model.is_empty() {
        body.insert("model".into(), model.into());
    }
    let objects: Vec<Value> = counted
        .iter()
        .map(|detection| detection.to_json())
        .collect();
    body.insert("objects".into(), objects.into());
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::BoundingBox;
    use proptest::prelude::*;

    fn seen(label: &str, confidence: f64) -> Detection {
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
        }
    }

    fn frame(seq: u64, detections: Vec<Detection>) -> Observation {
        Observation {
            seq,
            model: "m".into(),
            detections,
        }
    }

    fn config(labels: &str, min_confidence: f64, min_count: u32) -> Config {
        Config {
            labels: Labels::parse(labels).expect("a right list"),
            min_confidence,
            min_count,
        }
    }

    fn line(signal: &Signal) -> String {
        Value::Object(signal.to_json()).to_string()
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
            line(&signals[0]),
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
        let mut counter = Counter::new(config("", 0.0, 0));
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
            assert!(!signals[0].body.contains_key("model"));
        }
    }

    #[test]
    fn the_signals_label_is_the_most_frequent_and_then_the_best() {
        let mut counter = Counter::new(config("", 0.1, 1));
        let mut label = |seq, detections| {
            let signals = counter.observe(None, &frame(seq, detections));
            signals.expect("counted")[0].body["label"].clone()
        };
        let (dog, cat, car) = (seen("dog", 0.2), seen("cat", 0.8), seen("car", 0.3));
        assert_eq!(label(0, vec![dog.clone(), cat.clone(), dog.clone()]), "dog");
        assert_eq!(label(1, vec![car, dog, cat]), "cat");
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

    fn any_detection() -> impl Strategy<Value = Detection> {
        (0..3_u8, 0..=4_u8, 0..3_u8, proptest::option::of(0..2_i64)).prop_map(
            |(label, confidence, left, track_id)| Detection {
                bbox: BoundingBox::from_corners(f64::from(left) / 4.0, 0.0, 1.0, 1.0),
                track_id,
                ..seen(["a", "b", "c"][label as usize], f64::from(confidence) / 4.0)
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_of_the_detections_changes_nothing(
            (sorted, shuffled) in proptest::collection::vec(any_detection(), 0..8)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            let observe = |detections| {
                Counter::new(config("a,b:0.75", 0.5, 2)).observe(Some(0), &frame(0, detections))
            };
            let (a, b) = (observe(sorted), observe(shuffled));
            prop_assert_eq!(
                a.map(|s| s.iter().map(line).collect::<Vec<_>>()),
                b.map(|s| s.iter().map(line).collect::<Vec<_>>())
            );
        }
    }
}
